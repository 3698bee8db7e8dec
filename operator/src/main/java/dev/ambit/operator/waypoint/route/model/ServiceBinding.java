package dev.ambit.operator.waypoint.route.model;

/** Whether a waypoint serves a service, as far as the routes that are attached to it go. */
public sealed interface ServiceBinding {
  /**
   * One of this operator's does.
   *
   * @param waypoint "namespace/name"
   */
  record Bound(String waypoint) implements ServiceBinding {}

  /**
   * None does.
   *
   * @param message why, and what to do about it
   */
  record Unbound(String message) implements ServiceBinding {}

  /** Another controller's does, which says itself what becomes of routes. */
  record Foreign() implements ServiceBinding {}
}
