package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** Counts connections under Istio's metric names and writes the access log. */
public final class ConnectionTelemetry implements ConnectionLog {
  private final Family opened;
  private final Family closed;
  private final Family failed;
  private final Family sent;
  private final Family received;
  private final LongAdder[] open = new LongAdder[Reporter.values().length];
  private final LongAdder[] retries = new LongAdder[ResponseFlag.values().length];
  private final LongAdder[][] early =
      new LongAdder[Reporter.values().length][ResponseFlag.values().length];
  private final Map<ConnectionShape, Counters> shapes = new ConcurrentHashMap<>();
  private final AccessLog accessLog;

  public ConnectionTelemetry(MetricRegistry metrics, AccessLog accessLog) {
    this.accessLog = accessLog;
    opened = counter(metrics, "istio_tcp_connections_opened_total", "Connections established");
    closed = counter(metrics, "istio_tcp_connections_closed_total", "Connections ended");
    failed =
        counter(
            metrics,
            "istio_tcp_connections_failed_total",
            "Connections that were refused, denied or broke");
    // Istio names these from the answering side: sent is what the destination sent.
    sent = counter(metrics, "istio_tcp_sent_bytes_total", "Bytes from destination to source");
    received =
        counter(metrics, "istio_tcp_received_bytes_total", "Bytes from source to destination");
    Family sockets = metrics.family("istio_tcp_sockets_open", "Open connections", Kind.GAUGE);
    Family earlyFailures =
        counter(
            metrics,
            "ambit_connections_early_failed_total",
            "Connections that failed, or were denied, before any byte went through");
    Family retried =
        counter(
            metrics,
            "ambit_connection_retries_total",
            "Endpoints that could not be reached, where another was tried");
    for (ResponseFlag flag : ResponseFlag.values()) {
      retries[flag.ordinal()] = retried.counter(Labels.of("response_flags", flag.label()));
    }
    for (Reporter reporter : Reporter.values()) {
      for (ResponseFlag flag : ResponseFlag.values()) {
        early[reporter.ordinal()][flag.ordinal()] =
            earlyFailures.counter(
                Labels.of("reporter", reporter.label(), "response_flags", flag.label()));
      }
      LongAdder count = new LongAdder();
      open[reporter.ordinal()] = count;
      sockets.gauge(Labels.of("reporter", reporter.label()), count::sum);
    }
    metrics
        .family(
            "ambit_access_log_dropped_total",
            "Access log lines that were dropped because they could not be written in time",
            Kind.COUNTER)
        .gauge(Labels.NONE, accessLog::dropped);
  }

  private static Family counter(MetricRegistry metrics, String name, String help) {
    return metrics.family(name, help, Kind.COUNTER);
  }

  @Override
  public OpenConnection opened(ConnectionInfo info) {
    Counters counters = counters(info);
    counters.opened.increment();
    open[info.reporter().ordinal()].increment();
    accessLog.opened(info);
    return new Record(info, counters);
  }

  @Override
  public void retried(ConnectionInfo info, String error, ResponseFlag flag) {
    retries[flag.ordinal()].increment();
    accessLog.retried(info, error);
  }

  @Override
  public void failed(ConnectionInfo info, String error, ResponseFlag flag) {
    counters(info).failed(flag).increment();
    early[info.reporter().ordinal()][flag.ordinal()].increment();
    accessLog.failed(info, error);
  }

  private Counters counters(ConnectionInfo info) {
    ConnectionShape shape = ConnectionShape.of(info);
    Counters present = shapes.get(shape);
    return present != null ? present : shapes.computeIfAbsent(shape, Counters::new);
  }

  /** The counters of one shape. */
  private final class Counters {
    private final ConnectionShape shape;
    private final LongAdder opened;
    private final LongAdder sent;
    private final LongAdder received;
    private final LongAdder closedWell;
    private final Map<ResponseFlag, LongAdder> closedBy = new EnumMap<>(ResponseFlag.class);
    private final Map<ResponseFlag, LongAdder> failedBy = new EnumMap<>(ResponseFlag.class);

    Counters(ConnectionShape shape) {
      this.shape = shape;
      Labels labels = shape.labels(ResponseFlag.NONE);
      opened = ConnectionTelemetry.this.opened.counter(labels);
      sent = ConnectionTelemetry.this.sent.counter(labels);
      received = ConnectionTelemetry.this.received.counter(labels);
      closedWell = ConnectionTelemetry.this.closed.counter(labels);
    }

    LongAdder closed(ResponseFlag flag) {
      if (flag == ResponseFlag.NONE) {
        return closedWell;
      }
      synchronized (this) {
        return closedBy.computeIfAbsent(
            flag, f -> ConnectionTelemetry.this.closed.counter(shape.labels(f)));
      }
    }

    synchronized LongAdder failed(ResponseFlag flag) {
      return failedBy.computeIfAbsent(
          flag, f -> ConnectionTelemetry.this.failed.counter(shape.labels(f)));
    }
  }

  private final class Record implements OpenConnection {
    private final ConnectionInfo info;
    private final Counters counters;
    private final long begin = System.nanoTime();
    private long sentSoFar;
    private long receivedSoFar;
    private boolean over;

    Record(ConnectionInfo info, Counters counters) {
      this.info = info;
      this.counters = counters;
    }

    @Override
    public void progress(long sent, long received) {
      // Crosswise: see the metrics' definition above.
      counters.received.add(sent - sentSoFar);
      counters.sent.add(received - receivedSoFar);
      sentSoFar = sent;
      receivedSoFar = received;
    }

    @Override
    public void closed(long sent, long received, @Nullable String error, ResponseFlag flag) {
      if (over) {
        return;
      }
      over = true;
      progress(sent, received);
      counters.closed(flag).increment();
      if (flag != ResponseFlag.NONE) {
        counters.failed(flag).increment();
      }
      open[info.reporter().ordinal()].decrement();
      accessLog.closed(info, sent, received, System.nanoTime() - begin, error);
    }
  }
}
