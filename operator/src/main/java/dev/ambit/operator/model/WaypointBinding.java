package dev.ambit.operator.model;

import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.WeightedWaypoint;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The waypoint that an object's traffic has to go through.
 *
 * @param address where it is; where it is not, a name that nothing answers to, so that traffic is
 *     refused rather than led around it
 * @param weighted shares of several waypoints; empty for all to the one
 * @param through the waypoints, "namespace/name", that are meant for it and take it, be they ready
 *     yet or not
 * @param ingress whether gateways are to send traffic there too
 * @param status nothing where no waypoint was asked for
 */
record WaypointBinding(
    Optional<GatewayAddress> address,
    List<WeightedWaypoint> weighted,
    Set<String> through,
    boolean ingress,
    Optional<ObjectCondition> status) {
  private static final String HEADLESS = "Headless";

  static final WaypointBinding NONE =
      new WaypointBinding(Optional.empty(), List.of(), Set.of(), false, Optional.empty());

  static WaypointBinding to(GatewayAddress address, ObjectCondition status) {
    return new WaypointBinding(
        Optional.of(address), List.of(), Set.of(), false, Optional.of(status));
  }

  static WaypointBinding unbound(ObjectCondition status) {
    return new WaypointBinding(Optional.empty(), List.of(), Set.of(), false, Optional.of(status));
  }

  /**
   * Why none of its traffic comes to what the waypoint enforces. One that is not ready yet, and
   * lets nothing pass meanwhile, is none of that.
   */
  Optional<String> past() {
    if (status.isEmpty() && !through.isEmpty()) {
      return Optional.of(
          "its enrollment does not send its traffic through waypoint "
              + String.join(", ", new TreeSet<>(through))
              + " yet");
    }
    return status
        .filter(said -> !said.holds())
        .filter(_ -> address.isEmpty() || through.isEmpty() || isOfHeadless())
        .map(ObjectCondition::message);
  }

  /**
   * Of what clients reach by its endpoints' addresses alone, so that nobody can tell that it is
   * what they ask for. What lets in only the waypoint stays: what it was to judge is refused.
   */
  WaypointBinding ofHeadless() {
    return status.isEmpty()
        ? this
        : withStatus(
            new ObjectCondition(
                ObjectCondition.WAYPOINT_BOUND,
                false,
                HEADLESS,
                "it has no address of its own (it is headless), so clients address its endpoints,"
                    + " which no waypoint for services is before; give it an address, or bind its"
                    + " pods to a waypoint with the label istio.io/waypoint-for: all or workload"));
  }

  boolean isOfHeadless() {
    return status.filter(said -> said.reason().equals(HEADLESS)).isPresent();
  }

  WaypointBinding withWeighted(List<WeightedWaypoint> next) {
    return new WaypointBinding(address, next, through, ingress, status);
  }

  WaypointBinding withStatus(ObjectCondition next) {
    return new WaypointBinding(address, weighted, through, ingress, Optional.of(next));
  }

  /** With more said in the status, if there is one. */
  WaypointBinding withNote(String note) {
    return new WaypointBinding(
        address,
        weighted,
        through,
        ingress,
        status.map(
            said ->
                new ObjectCondition(
                    said.type(), said.holds(), said.reason(), said.message() + note)));
  }

  WaypointBinding withIngress(boolean next) {
    return new WaypointBinding(address, weighted, through, next, status);
  }

  /** Meant for that waypoint, besides others. */
  WaypointBinding withThrough(String waypoint) {
    return withThrough(Set.of(waypoint));
  }

  /** Meant for those waypoints, besides others. */
  WaypointBinding withThrough(Set<String> waypoints) {
    Set<String> all = new TreeSet<>(through);
    all.addAll(waypoints);
    return new WaypointBinding(address, weighted, Set.copyOf(all), ingress, status);
  }
}
