package dev.ambit.operator.waypoint.model;

/**
 * A waypoint, as policies and Telemetry objects attach to it.
 *
 * @param className of its GatewayClass
 */
public record WaypointGateway(String namespace, String name, String className) {
  @Override
  public String toString() {
    return namespace + "/" + name;
  }
}
