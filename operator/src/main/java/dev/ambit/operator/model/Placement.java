package dev.ambit.operator.model;

import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import java.util.Optional;

/**
 * How a workload stands to waypoints: behind one, or an instance of one, or neither.
 *
 * @param tunnel how an instance wants connections handed to it, where it says so
 */
record Placement(Optional<GatewayAddress> waypoint, Optional<ApplicationTunnel> tunnel) {
  static final Placement NONE = new Placement(Optional.empty(), Optional.empty());
}
