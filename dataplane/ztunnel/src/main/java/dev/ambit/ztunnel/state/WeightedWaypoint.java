package dev.ambit.ztunnel.state;

/** One of several waypoints of a service, with its share of the connections. */
public record WeightedWaypoint(GatewayReference waypoint, int weight) {}
