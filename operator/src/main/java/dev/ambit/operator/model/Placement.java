package dev.ambit.operator.model;

import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * How a workload stands to waypoints: behind one, or an instance of one, or neither.
 *
 * @param through the waypoints, "namespace/name", that are meant for it and take it, be they ready
 *     yet or not
 * @param tunnel how an instance wants connections handed to it, where it says so
 */
record Placement(
    Optional<GatewayAddress> waypoint, Set<String> through, Optional<ApplicationTunnel> tunnel) {
  static final Placement NONE = new Placement(Optional.empty(), Set.of(), Optional.empty());

  /** Meant for those waypoints, besides others. */
  Placement withThrough(Set<String> waypoints) {
    Set<String> all = new TreeSet<>(through);
    all.addAll(waypoints);
    return new Placement(waypoint, Set.copyOf(all), tunnel);
  }
}
