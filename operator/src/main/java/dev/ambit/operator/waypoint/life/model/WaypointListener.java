package dev.ambit.operator.waypoint.life.model;

/** A listener of a Gateway, as its Service has it. */
public record WaypointListener(String name, int port) {}
