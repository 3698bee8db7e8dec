package dev.ambit.operator.waypoint.traffic.model;

/** What HTTP a cluster speaks to its endpoints. */
public enum UpstreamProtocol {
  /** What the port declares. */
  DECLARED,
  /** HTTP/2, whatever the client speaks. */
  HTTP2,
  /** The client's own. */
  CLIENTS
}
