package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.ConnectionSeries.Counters;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Counts connections under Istio's metric names and writes the access log. */
public final class ConnectionTelemetry implements ConnectionLog {
  /** Many times what a node's pods have at once, and at most 30 MiB. */
  private static final int MOST_LABEL_SETS = 10_000;

  private final ConnectionSeries series;
  private final LongAdder[] open = new LongAdder[Reporter.values().length];
  private final LongAdder[] retries = new LongAdder[ResponseFlag.values().length];
  private final LongAdder[][] early =
      new LongAdder[Reporter.values().length][ResponseFlag.values().length];
  private final LongAdder[][] handshakes =
      new LongAdder[Reporter.values().length][HandshakeFailure.values().length];
  private final AccessLog accessLog;
  private final Family pastWaypoints;

  /**
   * @param idle after how long without a connection a label set is dropped; zero: never
   */
  public ConnectionTelemetry(MetricRegistry metrics, AccessLog accessLog, Duration idle) {
    this(metrics, accessLog, idle, MOST_LABEL_SETS, System::nanoTime);
  }

  ConnectionTelemetry(
      MetricRegistry metrics, AccessLog accessLog, Duration idle, int most, LongSupplier nanoTime) {
    this.accessLog = accessLog;
    series = new ConnectionSeries(metrics, idle, most, nanoTime);
    Family sockets = metrics.family("istio_tcp_sockets_open", "Open connections", Kind.GAUGE);
    Family earlyFailures =
        metrics.family(
            "ambit_connections_early_failed_total",
            "Connections that failed, or were denied, before any byte went through",
            Kind.COUNTER);
    Family handshakeFailures =
        metrics.family(
            "ambit_tls_handshake_failures_total",
            "Tunnels that could not be set up, by reason",
            Kind.COUNTER);
    Family retried =
        metrics.family(
            "ambit_connection_retries_total",
            "Endpoints that could not be reached, where another was tried",
            Kind.COUNTER);
    pastWaypoints =
        metrics.family(
            "ambit_connections_past_waypoint_total",
            "Connections to pods that did not come through the waypoint of their service",
            Kind.COUNTER);
    for (ResponseFlag flag : ResponseFlag.values()) {
      retries[flag.ordinal()] = retried.counter(Labels.of("response_flags", flag.label()));
    }
    for (Reporter reporter : Reporter.values()) {
      for (ResponseFlag flag : ResponseFlag.values()) {
        early[reporter.ordinal()][flag.ordinal()] =
            earlyFailures.counter(
                Labels.of("reporter", reporter.label(), "response_flags", flag.label()));
      }
      for (HandshakeFailure reason : HandshakeFailure.values()) {
        handshakes[reporter.ordinal()][reason.ordinal()] =
            handshakeFailures.counter(
                Labels.of("reporter", reporter.label(), "reason", reason.label()));
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

  /** Drops the label sets that had no connection for long; to be called now and then. */
  public void dropIdle() {
    series.dropIdle();
  }

  @Override
  public OpenConnection opened(ConnectionInfo info) {
    Counters counters = series.acquire(info);
    counters.opened().increment();
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
    Counters counters = series.acquire(info);
    counters.failed(flag).increment();
    counters.release();
    early[info.reporter().ordinal()][flag.ordinal()].increment();
    accessLog.failed(info, error);
  }

  @Override
  public void passedWaypoint(String namespace, String hostname, boolean letIn) {
    pastWaypoints
        .counter(
            Labels.of(
                "destination_service",
                hostname,
                "destination_service_namespace",
                namespace,
                "let_in",
                Boolean.toString(letIn)))
        .increment();
  }

  @Override
  public void handshakeFailed(Reporter reporter, HandshakeFailure reason) {
    handshakes[reporter.ordinal()][reason.ordinal()].increment();
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
      // Crosswise: see the metrics' definition.
      counters.received().add(sent - sentSoFar);
      counters.sent().add(received - receivedSoFar);
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
      counters.release();
      open[info.reporter().ordinal()].decrement();
      accessLog.closed(info, sent, received, System.nanoTime() - begin, error);
    }
  }
}
