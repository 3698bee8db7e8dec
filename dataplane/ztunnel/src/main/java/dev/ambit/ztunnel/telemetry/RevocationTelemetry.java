package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;

/** Counts peers that were turned away because their certificate is revoked. */
public final class RevocationTelemetry implements RevocationObserver {
  private final MetricRegistry metrics;
  private final LongAdder[] rejected;
  private final LongAdder[] untracked;

  public RevocationTelemetry(MetricRegistry metrics) {
    this.metrics = metrics;
    rejected =
        counters(
            "istio_crl_policy_rejections_total",
            "Tunnels rejected or cut because a certificate of the peer is revoked");
    untracked =
        counters(
            "istio_crl_untracked_connections_total",
            "Tunnels that were cut because their peer's certificates could not be judged again");
  }

  private LongAdder[] counters(String name, String help) {
    Family family = metrics.family(name, help, Kind.COUNTER);
    LongAdder[] counters = new LongAdder[Reporter.values().length];
    for (Reporter reporter : Reporter.values()) {
      counters[reporter.ordinal()] = family.counter(Labels.of("reporter", reporter.label()));
    }
    return counters;
  }

  /** Shows what is in force. */
  public void gauges(LongSupplier lists, LongSupplier overdue, LongSupplier failures) {
    metrics
        .family("ambit_crl_lists", "Revocation lists in force", Kind.GAUGE)
        .gauge(Labels.NONE, lists);
    metrics
        .family(
            "ambit_crl_overdue", "Revocation lists in force that should be replaced", Kind.GAUGE)
        .gauge(Labels.NONE, overdue);
    metrics
        .family(
            "ambit_crl_read_failures_total",
            "Files of revocation lists that could not be read",
            Kind.COUNTER)
        .gauge(Labels.NONE, failures);
  }

  @Override
  public void rejected(Reporter reporter) {
    rejected[reporter.ordinal()].increment();
  }

  @Override
  public void untracked(Reporter reporter) {
    untracked[reporter.ordinal()].increment();
  }
}
