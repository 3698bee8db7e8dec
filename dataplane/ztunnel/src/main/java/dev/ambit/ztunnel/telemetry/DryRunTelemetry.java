package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.policy.DryRunObserver;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Family;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;

/** Counts and logs what dry-run policies would have done. */
public final class DryRunTelemetry implements DryRunObserver {
  private final Family verdicts;
  private final AccessLog accessLog;

  public DryRunTelemetry(MetricRegistry metrics, AccessLog accessLog) {
    this.verdicts =
        metrics.family(
            "ambit_authorization_dry_run_total",
            "Connections judged by a dry-run policy, by what it would have done",
            Kind.COUNTER);
    this.accessLog = accessLog;
  }

  @Override
  public void judged(String policy, boolean wouldDeny, PolicyInput input) {
    verdicts
        .counter(Labels.of("policy", policy, "verdict", wouldDeny ? "deny" : "allow"))
        .increment();
    accessLog.dryRun(policy, wouldDeny, input);
  }
}
