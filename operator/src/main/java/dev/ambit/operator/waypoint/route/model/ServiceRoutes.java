package dev.ambit.operator.waypoint.route.model;

import java.util.Map;

/**
 * What the routes that are attached to a service make of its ports, by their numbers. A port that
 * no route is attached to is in neither map, and leads to the service itself.
 */
public record ServiceRoutes(
    Map<Integer, HttpPortRoutes> http, Map<Integer, ConnectionRoutes> connections) {
  /** Nothing is attached to it. */
  public static final ServiceRoutes NONE = new ServiceRoutes(Map.of(), Map.of());

  /** Copies the maps. */
  public ServiceRoutes {
    http = Map.copyOf(http);
    connections = Map.copyOf(connections);
  }
}
