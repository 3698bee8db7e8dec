package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.MeshService;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A waypoint as the parent of routes, which are then for all services that it serves.
 *
 * @param services that go through it
 */
public record ParentWaypoint(List<Listener> listeners, List<MeshService> services) {
  /** Copies the lists. */
  public ParentWaypoint {
    listeners = List.copyOf(listeners);
    services = List.copyOf(services);
  }

  /**
   * One of its listeners.
   *
   * @param kinds of routes that it takes; empty for all
   * @param admits whether it takes routes of that namespace
   */
  public record Listener(String name, int port, Set<String> kinds, Predicate<String> admits) {}
}
