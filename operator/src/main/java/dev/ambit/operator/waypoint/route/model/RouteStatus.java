package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.util.List;

/**
 * What became of a route at one of its parents.
 *
 * @param generation of the route that it is said of
 * @param parent as the route has it
 */
public record RouteStatus(
    ObjectReference route,
    long generation,
    ParentReference parent,
    List<ObjectCondition> conditions) {
  /** Who says it, in {@code status.parents}. */
  public static final String CONTROLLER_NAME = "ambit.dev/waypoint-controller";

  /** The condition that says whether somebody does what an accepted route says. */
  public static final String ENFORCED = "ambit.dev/Enforced";

  static final String ENFORCED_REASON = "Enforced";

  /** Istio's condition for whether the parent has a waypoint, here false where it has none. */
  public static final String RESOLVED_WAYPOINTS = "ResolvedWaypoints";

  /** The reason for either not to hold. */
  public static final String NO_WAYPOINT = "NoWaypoint";

  /** Copies the conditions. */
  public RouteStatus {
    conditions = List.copyOf(conditions);
  }
}
