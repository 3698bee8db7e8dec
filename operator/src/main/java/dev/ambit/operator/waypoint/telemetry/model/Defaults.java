package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.api.DefaultProviders;
import java.util.List;

/** Names of the providers that are used where no Telemetry object names any. */
public record Defaults(List<String> accessLogging, List<String> tracing, List<String> metrics) {
  /** Metrics and nothing else. */
  public static final Defaults METRICS_ONLY =
      new Defaults(List.of(), List.of(), List.of(Providers.PROMETHEUS));

  /** The AmbientMesh's. */
  public static Defaults of(DefaultProviders declared) {
    return new Defaults(declared.accessLogging(), declared.tracing(), declared.metrics());
  }
}
