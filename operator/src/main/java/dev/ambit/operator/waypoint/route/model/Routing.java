package dev.ambit.operator.waypoint.route.model;

import java.util.List;
import java.util.Map;

/**
 * What all routes together come to.
 *
 * @param attached how many routes are attached to each listener, by the listener's name, by its
 *     Gateway, "namespace/name"; those alone that have a Gateway as their parent
 * @param services by {@link dev.ambit.operator.waypoint.model.MeshService#key()}, those with routes
 */
public record Routing(
    Map<String, ServiceRoutes> services,
    List<RouteStatus> statuses,
    Map<String, Map<String, Integer>> attached) {
  /** Copies all. */
  public Routing {
    services = Map.copyOf(services);
    statuses = List.copyOf(statuses);
    attached = Map.copyOf(attached);
  }
}
