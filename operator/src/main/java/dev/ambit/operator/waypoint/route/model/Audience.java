package dev.ambit.operator.waypoint.route.model;

/** Whose traffic a route is for. */
sealed interface Audience {
  /** Of a route in the service's own namespace: all clients that no consumer route is for. */
  record Everyone() implements Audience {}

  /** Of a route in another namespace than the service's: the clients of that namespace. */
  record Consumers(String namespace) implements Audience {}

  /** Of a route at the waypoint: those whom no route at the service is for. */
  record Remaining() implements Audience {}
}
