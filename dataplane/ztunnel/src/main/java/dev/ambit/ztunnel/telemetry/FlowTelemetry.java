package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Counts flows of datagrams with the labels of TCP connections, and writes the access log. Label
 * sets that no flow has used for long are dropped, and there are never more than a fixed number.
 */
public final class FlowTelemetry implements FlowLog {
  private static final String PROTOCOL = "udp";
  private static final int MOST_LABEL_SETS = 10_000;

  private final Family opened;
  private final Family closed;
  private final Family failed;
  private final Family sentBytes;
  private final Family receivedBytes;
  private final Family sentDatagrams;
  private final Family receivedDatagrams;
  private final Family droppedDatagrams;
  private final LongAdder[] open = new LongAdder[Reporter.values().length];
  private final Map<ConnectionShape, Series> series = new ConcurrentHashMap<>();
  private final AccessLog accessLog;
  private final long idleNanos;
  private final int most;
  private final LongSupplier nanoTime;

  /**
   * @param idle after how long without a flow a label set is dropped; zero: never
   */
  public FlowTelemetry(MetricRegistry metrics, AccessLog accessLog, Duration idle) {
    this(metrics, accessLog, idle, MOST_LABEL_SETS, System::nanoTime);
  }

  FlowTelemetry(
      MetricRegistry metrics, AccessLog accessLog, Duration idle, int most, LongSupplier nanoTime) {
    this.accessLog = accessLog;
    this.idleNanos = idle.toNanos();
    this.most = most;
    this.nanoTime = nanoTime;
    opened = counter(metrics, "ambit_udp_flows_opened_total", "UDP flows opened");
    closed = counter(metrics, "ambit_udp_flows_closed_total", "UDP flows ended");
    failed =
        counter(
            metrics,
            "ambit_udp_flows_failed_total",
            "UDP flows that were refused, denied or broke");
    // Crosswise, as those of TCP connections are.
    sentBytes =
        counter(metrics, "ambit_udp_sent_bytes_total", "Payload bytes, destination to source");
    receivedBytes =
        counter(metrics, "ambit_udp_received_bytes_total", "Payload bytes, source to destination");
    sentDatagrams =
        counter(metrics, "ambit_udp_sent_datagrams_total", "Datagrams, destination to source");
    receivedDatagrams =
        counter(metrics, "ambit_udp_received_datagrams_total", "Datagrams, source to destination");
    droppedDatagrams =
        counter(
            metrics,
            "ambit_udp_dropped_datagrams_total",
            "Datagrams that were not passed on, by reason");
    Family now = metrics.family("ambit_udp_flows_open", "Open UDP flows", Kind.GAUGE);
    for (Reporter reporter : Reporter.values()) {
      LongAdder count = new LongAdder();
      open[reporter.ordinal()] = count;
      now.gauge(Labels.of("reporter", reporter.label()), count::sum);
    }
  }

  private static Family counter(MetricRegistry metrics, String name, String help) {
    return metrics.family(name, help, Kind.COUNTER);
  }

  /** Drops the label sets that had no flow for long; to be called now and then. */
  public void dropIdle() {
    if (idleNanos == 0) {
      return;
    }
    long now = nanoTime.getAsLong();
    for (ConnectionShape shape : series.keySet()) {
      series.computeIfPresent(
          shape,
          (key, known) -> {
            if (known.users > 0 || now - known.lastUsed < idleNanos) {
              return known;
            }
            known.remove();
            return null;
          });
    }
  }

  private Series acquire(ConnectionInfo info) {
    ConnectionShape shape = ConnectionShape.of(info);
    if (!series.containsKey(shape) && series.size() >= most) {
      shape = shape.overflow();
    }
    return series.compute(
        shape,
        (key, known) -> {
          Series found = known == null ? new Series(key) : known;
          found.users++;
          return found;
        });
  }

  private void release(Series used) {
    series.computeIfPresent(
        used.shape,
        (key, known) -> {
          known.users--;
          known.lastUsed = nanoTime.getAsLong();
          return known;
        });
  }

  @Override
  public OpenFlow opened(ConnectionInfo info) {
    Series counters = acquire(info);
    counters.of(opened, ResponseFlag.NONE).increment();
    open[info.reporter().ordinal()].increment();
    return new Record(info, counters);
  }

  @Override
  public void failed(ConnectionInfo info, String error, ResponseFlag flag) {
    Series counters = acquire(info);
    counters.of(failed, flag).increment();
    release(counters);
    accessLog.flow(info, false, FlowCounts.NONE, 0, error);
  }

  @Override
  public void dropped(ConnectionInfo info, DropReason reason, long count) {
    Series counters = acquire(info);
    counters.dropped(reason).add(count);
    release(counters);
  }

  /** The counters of flows that are counted together. */
  private final class Series {
    private final ConnectionShape shape;
    private final Map<Key, Counter> counters = new HashMap<>();

    // Changed only within the map's lock on the shape.
    private int users;
    private long lastUsed = nanoTime.getAsLong();

    private record Key(Family family, ResponseFlag flag, @Nullable DropReason reason) {}

    private record Counter(Family family, Labels labels, LongAdder adder) {}

    Series(ConnectionShape shape) {
      this.shape = shape;
    }

    LongAdder of(Family family, ResponseFlag flag) {
      return counter(new Key(family, flag, null));
    }

    LongAdder dropped(DropReason reason) {
      return counter(
          new Key(droppedDatagrams, ResponseFlag.NONE, reason), "reason", reason.label());
    }

    private synchronized LongAdder counter(Key key, String... further) {
      Counter known = counters.get(key);
      if (known == null) {
        Labels labels = shape.labels(PROTOCOL, key.flag(), further);
        known = new Counter(key.family(), labels, key.family().counter(labels));
        counters.put(key, known);
      }
      return known.adder();
    }

    private synchronized void remove() {
      counters.values().forEach(counter -> counter.family().remove(counter.labels()));
      counters.clear();
    }
  }

  private final class Record implements OpenFlow {
    private final ConnectionInfo info;
    private final Series counters;
    private final LongAdder bytesSent;
    private final LongAdder bytesReceived;
    private final LongAdder datagramsSent;
    private final LongAdder datagramsReceived;
    private final long begin = System.nanoTime();
    private FlowCounts counted = FlowCounts.NONE;
    private boolean over;

    Record(ConnectionInfo info, Series counters) {
      this.info = info;
      this.counters = counters;
      this.bytesSent = counters.of(sentBytes, ResponseFlag.NONE);
      this.bytesReceived = counters.of(receivedBytes, ResponseFlag.NONE);
      this.datagramsSent = counters.of(sentDatagrams, ResponseFlag.NONE);
      this.datagramsReceived = counters.of(receivedDatagrams, ResponseFlag.NONE);
    }

    @Override
    public void progress(FlowCounts counts) {
      bytesReceived.add(counts.bytesSent() - counted.bytesSent());
      bytesSent.add(counts.bytesReceived() - counted.bytesReceived());
      datagramsReceived.add(counts.datagramsSent() - counted.datagramsSent());
      datagramsSent.add(counts.datagramsReceived() - counted.datagramsReceived());
      counted = counts;
    }

    @Override
    public void dropped(DropReason reason, long count) {
      counters.dropped(reason).add(count);
    }

    @Override
    public void closed(FlowCounts counts, @Nullable String error, ResponseFlag flag) {
      if (over) {
        return;
      }
      over = true;
      progress(counts);
      counters.of(closed, flag).increment();
      if (flag != ResponseFlag.NONE) {
        counters.of(failed, flag).increment();
      }
      release(counters);
      open[info.reporter().ordinal()].decrement();
      accessLog.flow(info, true, counts, System.nanoTime() - begin, error);
    }
  }
}
