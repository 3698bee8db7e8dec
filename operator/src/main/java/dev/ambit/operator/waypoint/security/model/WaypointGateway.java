package dev.ambit.operator.waypoint.security.model;

/**
 * A waypoint as policies attach to it.
 *
 * @param className of its GatewayClass
 */
public record WaypointGateway(String namespace, String name, String className) {
  @Override
  public String toString() {
    return namespace + "/" + name;
  }
}
