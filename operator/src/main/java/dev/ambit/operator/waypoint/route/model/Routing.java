package dev.ambit.operator.waypoint.route.model;

import java.util.List;
import java.util.Map;

/**
 * What all routes together come to.
 *
 * @param services by {@link dev.ambit.operator.waypoint.model.MeshService#key()}, those with routes
 */
public record Routing(Map<String, ServiceRoutes> services, List<RouteStatus> statuses) {
  /** Copies both. */
  public Routing {
    services = Map.copyOf(services);
    statuses = List.copyOf(statuses);
  }
}
