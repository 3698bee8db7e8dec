package dev.ambit.operator.waypoint.life.model;

import java.util.List;
import java.util.Map;

/**
 * What the control plane knows of a waypoint that is to be said on its Gateway.
 *
 * @param attachedRoutes how many routes are attached to each listener, by its name
 * @param rejections what of its configuration its Envoys do not take, and why
 */
public record WaypointFacts(Map<String, Integer> attachedRoutes, List<String> rejections) {
  /** Nothing. */
  public static final WaypointFacts NONE = new WaypointFacts(Map.of(), List.of());

  /** Copies both. */
  public WaypointFacts {
    attachedRoutes = Map.copyOf(attachedRoutes);
    rejections = List.copyOf(rejections);
  }
}
