package dev.ambit.ztunnel.state;

import java.util.List;

/** How an endpoint of a service is chosen. */
public record LoadBalancing(List<Scope> routingPreference, Mode mode, HealthPolicy healthPolicy) {
  /** Any healthy endpoint. */
  public static final LoadBalancing ANY =
      new LoadBalancing(List.of(), Mode.ANY, HealthPolicy.ONLY_HEALTHY);

  public LoadBalancing {
    routingPreference = List.copyOf(routingPreference);
  }

  /** What caller and endpoint are to have in common. */
  public enum Scope {
    REGION,
    ZONE,
    SUBZONE,
    NODE,
    CLUSTER,
    NETWORK
  }

  /** How preferences count. */
  public enum Mode {
    /** Preferences do not count. */
    ANY,
    /** Only endpoints that match every preference. */
    STRICT,
    /** The endpoints that match most leading preferences. */
    FAILOVER,
    /** None is chosen: the connection goes to the address it was going to. */
    PASSTHROUGH
  }

  /** Whether endpoints that are not ready may be chosen. */
  public enum HealthPolicy {
    ONLY_HEALTHY,
    ALLOW_ALL
  }
}
