package dev.ambit.operator.waypoint.model;

/**
 * A port of a service as its declaration has it.
 *
 * @param name empty where it has none
 */
public record ServicePort(int number, String name, PortProtocol protocol) {}
