package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.api.networking.v1alpha3.ClientTLSSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.ConnectionPoolSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.LoadBalancerSettings;
import io.fabric8.istio.api.api.networking.v1alpha3.OutlierDetection;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicy;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicyPortTrafficPolicy;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicyRetryBudget;
import org.jspecify.annotations.Nullable;

/** What a traffic policy says for one port, as written. */
record PortPolicy(
    @Nullable ConnectionPoolSettings pool,
    @Nullable LoadBalancerSettings balancing,
    @Nullable OutlierDetection outliers,
    @Nullable ClientTLSSettings tls,
    @Nullable TrafficPolicyRetryBudget retryBudget) {
  static final PortPolicy NONE = new PortPolicy(null, null, null, null, null);

  /** What says something for a port, and whether it is for that port alone. */
  private record Level(PortPolicy policy, boolean port) {}

  /**
   * What holds for a port of a subset. As in Istio, what is written for a port replaces what is
   * written for all ports, of which nothing is inherited; of a subset each part replaces that of
   * the service.
   */
  static PortPolicy of(@Nullable TrafficPolicy service, @Nullable TrafficPolicy subset, int port) {
    PortPolicy base = level(service, port).policy();
    if (subset == null) {
      return base;
    }
    Level level = level(subset, port);
    PortPolicy own = level.policy();
    return new PortPolicy(
        own.pool() != null || level.port() ? own.pool() : base.pool(),
        own.balancing() != null || level.port() ? own.balancing() : base.balancing(),
        own.outliers() != null || level.port() ? own.outliers() : base.outliers(),
        own.tls() != null || level.port() ? own.tls() : base.tls(),
        own.retryBudget() != null ? own.retryBudget() : base.retryBudget());
  }

  /** What a policy says for the ports for which it says nothing of their own. */
  static PortPolicy of(TrafficPolicy policy) {
    return new PortPolicy(
        policy.getConnectionPool(),
        policy.getLoadBalancer(),
        policy.getOutlierDetection(),
        policy.getTls(),
        policy.getRetryBudget());
  }

  static PortPolicy of(TrafficPolicyPortTrafficPolicy policy) {
    return new PortPolicy(
        policy.getConnectionPool(),
        policy.getLoadBalancer(),
        policy.getOutlierDetection(),
        policy.getTls(),
        null);
  }

  private static Level level(@Nullable TrafficPolicy policy, int port) {
    if (policy == null) {
      return new Level(NONE, false);
    }
    if (policy.getPortLevelSettings() != null) {
      for (TrafficPolicyPortTrafficPolicy each : policy.getPortLevelSettings()) {
        if (each.getPort() != null
            && each.getPort().getNumber() != null
            && each.getPort().getNumber() == port) {
          return new Level(of(each), true);
        }
      }
    }
    return new Level(of(policy), false);
  }
}
