package dev.ambit.operator.model;

import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import java.util.Optional;
import java.util.Set;

/**
 * How a workload stands to waypoints: behind one, or an instance of one, or neither.
 *
 * @param through the waypoint, "namespace/name", that is meant for it and takes it, be it ready yet
 *     or not
 * @param tunnel how an instance wants connections handed to it, where it says so
 */
record Placement(
    Optional<GatewayAddress> waypoint, Set<String> through, Optional<ApplicationTunnel> tunnel) {
  static final Placement NONE = new Placement(Optional.empty(), Set.of(), Optional.empty());
}
