package dev.ambit.operator.waypoint.telemetry.model;

/**
 * A waypoint, as Telemetry objects select it.
 *
 * @param gateway name of its Gateway
 * @param gatewayClass name of its class
 */
public record WaypointReference(String namespace, String gateway, String gatewayClass) {}
