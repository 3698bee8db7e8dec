package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.MeshService;
import java.util.Optional;

/** What routes can be attached to, and who serves it. */
public interface RouteParents {
  /** Whether a waypoint serves the requests that a service is sent. */
  ServiceBinding binding(MeshService service);

  /**
   * Whether a waypoint, "namespace/name", is left to another controller, which says itself what
   * becomes of routes; one that is served here nevertheless was so before.
   */
  boolean isLeft(String waypoint);

  /** The waypoint of that name, where its class is one that this operator controls. */
  Optional<ParentWaypoint> waypoint(String namespace, String name);
}
