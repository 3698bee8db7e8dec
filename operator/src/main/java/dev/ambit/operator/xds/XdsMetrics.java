package dev.ambit.operator.xds;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/** What discovery tells of itself. */
final class XdsMetrics {
  private final MeterRegistry registry;
  private final AtomicInteger streams = new AtomicInteger();

  XdsMetrics(MeterRegistry registry) {
    this.registry = registry;
    Gauge.builder("ambit.xds.streams", streams, AtomicInteger::get)
        .description("Discovery streams that are open")
        .register(registry);
  }

  void streamOpened() {
    streams.incrementAndGet();
  }

  void streamClosed() {
    streams.decrementAndGet();
  }

  void pushed(XdsType type, int resources, int removed) {
    Counter.builder("ambit.xds.pushes")
        .description("Responses sent")
        .tag("type", type.label())
        .register(registry)
        .increment();
    Counter.builder("ambit.xds.resources")
        .description("Resources sent, removals included")
        .tag("type", type.label())
        .register(registry)
        .increment((double) resources + removed);
  }

  void acknowledged(XdsType type, Duration time) {
    Timer.builder("ambit.xds.push.time")
        .description("From sending a response to its acknowledgement")
        .tag("type", type.label())
        .register(registry)
        .record(time);
  }

  void rejected(XdsType type) {
    Counter.builder("ambit.xds.rejections")
        .description("Responses that a client rejected")
        .tag("type", type.label())
        .register(registry)
        .increment();
  }
}
