package dev.ambit.operator.waypoint.model;

import java.util.Optional;

/**
 * Where a waypoint can send something: a port of a service, or a subset of its endpoints.
 *
 * @param protocol what the waypoint speaks towards the endpoints; a port may be asked for with
 *     another one than it declares
 * @param subset of a DestinationRule
 */
public record Backend(
    MeshService service, int port, PortProtocol protocol, Optional<String> subset) {
  /** All endpoints of a declared port. */
  public static Backend of(MeshService service, ServicePort port) {
    return new Backend(service, port.number(), port.protocol(), Optional.empty());
  }

  /** The same, of a subset alone. */
  public Backend subset(String name) {
    return new Backend(service, port, protocol, Optional.of(name));
  }

  /**
   * The name of its cluster. It has no dot, since Envoy's metrics are cut there: a host name's dots
   * become underscores, which host names do not have.
   */
  public String clusterName() {
    return protocol.name().toLowerCase(java.util.Locale.ROOT)
        + "|"
        + service.namespace()
        + "/"
        + service.hostname().replace('.', '_')
        + "|"
        + port
        + subset.map(name -> "|" + name.replace('.', '_')).orElse("");
  }
}
