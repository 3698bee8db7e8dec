package dev.ambit.operator.waypoint.security.model;

/** What a waypoint sees when it judges. */
enum Layer {
  /** A request of HTTP, with all that it has. */
  HTTP,
  /** A connection before its first byte: who, from where and to where. */
  TCP
}
