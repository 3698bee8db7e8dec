package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/**
 * The counters of each shape of connection. Those of a shape that had no open connection for a
 * while are dropped, so that pods which are long gone cost no memory; and there are never more than
 * a fixed number.
 */
final class ConnectionSeries {
  private static final String PROTOCOL = "tcp";
  private static final int RETIRED = -1;

  private final Family opened;
  private final Family closed;
  private final Family failed;
  private final Family sent;
  private final Family received;
  private final LongAdder overflows;
  private final Map<ConnectionShape, Counters> shapes = new ConcurrentHashMap<>();
  private final long idleNanos;
  private final int most;
  private final LongSupplier nanoTime;

  /**
   * @param idle after how long without a connection a shape is dropped; zero: never
   * @param most how many shapes are told apart
   */
  ConnectionSeries(MetricRegistry metrics, Duration idle, int most, LongSupplier nanoTime) {
    this.idleNanos = idle.toNanos();
    this.most = most;
    this.nanoTime = nanoTime;
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
    overflows =
        counter(
                metrics,
                "ambit_metrics_overflow_total",
                "Connections counted without their labels, since too many label sets are in use")
            .counter(Labels.NONE);
    metrics
        .family(
            "ambit_metrics_label_sets", "Label sets of connections that are kept now", Kind.GAUGE)
        .gauge(Labels.NONE, shapes::size);
  }

  private static Family counter(MetricRegistry metrics, String name, String help) {
    return metrics.family(name, help, Kind.COUNTER);
  }

  /** The counters of a connection like this, to be released when it is over. */
  Counters acquire(ConnectionInfo info) {
    ConnectionShape shape = ConnectionShape.of(info);
    Counters present = shapes.get(shape);
    if (present != null && present.acquire()) {
      return present;
    }
    if (present == null && shapes.size() >= most) {
      overflows.increment();
      shape = shape.overflow();
    }
    // Dropping is within this map's lock on the shape too: what is found here is in use.
    return shapes.compute(
        shape,
        (key, known) -> {
          Counters counters = known == null ? new Counters(key) : known;
          if (!counters.acquire()) {
            throw new IllegalStateException("counters that are in the map were dropped");
          }
          return counters;
        });
  }

  /** Drops what has not been used for long. */
  void dropIdle() {
    if (idleNanos == 0) {
      return;
    }
    long now = nanoTime.getAsLong();
    for (Counters counters : shapes.values()) {
      if (counters.isIdle(now)) {
        shapes.computeIfPresent(
            counters.shape,
            (shape, present) -> present == counters && counters.retire() ? null : present);
      }
    }
  }

  /** The counters of one shape. */
  final class Counters {
    private final ConnectionShape shape;
    private final Labels labels;
    private final LongAdder openedCount;
    private final LongAdder sentCount;
    private final LongAdder receivedCount;
    private final LongAdder closedWell;
    private final Map<ResponseFlag, LongAdder> closedBy = new EnumMap<>(ResponseFlag.class);
    private final Map<ResponseFlag, LongAdder> failedBy = new EnumMap<>(ResponseFlag.class);
    private final AtomicInteger users = new AtomicInteger();
    private volatile long lastUsed;

    private Counters(ConnectionShape shape) {
      this.shape = shape;
      labels = shape.labels(PROTOCOL, ResponseFlag.NONE);
      openedCount = opened.counter(labels);
      sentCount = sent.counter(labels);
      receivedCount = received.counter(labels);
      closedWell = closed.counter(labels);
    }

    LongAdder opened() {
      return openedCount;
    }

    LongAdder sent() {
      return sentCount;
    }

    LongAdder received() {
      return receivedCount;
    }

    LongAdder closed(ResponseFlag flag) {
      if (flag == ResponseFlag.NONE) {
        return closedWell;
      }
      synchronized (this) {
        return closedBy.computeIfAbsent(flag, f -> closed.counter(shape.labels(PROTOCOL, f)));
      }
    }

    synchronized LongAdder failed(ResponseFlag flag) {
      return failedBy.computeIfAbsent(flag, f -> failed.counter(shape.labels(PROTOCOL, f)));
    }

    /** The connection is over. */
    void release() {
      lastUsed = nanoTime.getAsLong();
      users.decrementAndGet();
    }

    private boolean acquire() {
      while (true) {
        int now = users.get();
        if (now == RETIRED) {
          return false;
        }
        if (users.compareAndSet(now, now + 1)) {
          return true;
        }
      }
    }

    private boolean isIdle(long now) {
      return users.get() == 0 && now - lastUsed >= idleNanos;
    }

    private synchronized boolean retire() {
      if (!users.compareAndSet(0, RETIRED)) {
        return false;
      }
      opened.remove(labels);
      sent.remove(labels);
      received.remove(labels);
      closed.remove(labels);
      closedBy.keySet().forEach(flag -> closed.remove(shape.labels(PROTOCOL, flag)));
      failedBy.keySet().forEach(flag -> failed.remove(shape.labels(PROTOCOL, flag)));
      return true;
    }
  }
}
