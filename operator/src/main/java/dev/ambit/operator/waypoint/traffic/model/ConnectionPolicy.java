package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.Duration;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.type.v3.HashPolicy;
import java.util.Optional;

/**
 * How connections to a TCP port are handled; what of a traffic policy is not the cluster's but the
 * TCP proxy's in front of it.
 *
 * @param idleTimeout after which a silent connection is closed; Envoy's own is an hour
 * @param hashSourceAddress whether a client's connections go to the same endpoint
 */
public record ConnectionPolicy(
    Optional<Duration> idleTimeout, Optional<Duration> maximumDuration, boolean hashSourceAddress) {
  /** Nothing is asked for. */
  public static final ConnectionPolicy DEFAULT =
      new ConnectionPolicy(Optional.empty(), Optional.empty(), false);

  /** Makes a proxy follow it. */
  public void applyTo(TcpProxy.Builder proxy) {
    idleTimeout.ifPresent(proxy::setIdleTimeout);
    maximumDuration.ifPresent(proxy::setMaxDownstreamConnectionDuration);
    if (hashSourceAddress) {
      proxy.addHashPolicy(
          HashPolicy.newBuilder().setSourceIp(HashPolicy.SourceIp.getDefaultInstance()));
    }
  }
}
