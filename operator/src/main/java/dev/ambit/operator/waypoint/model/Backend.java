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

  /** Where requests go: a port that declares no protocol of requests is asked in HTTP. */
  public static Backend ofRequests(MeshService service, ServicePort port) {
    PortProtocol protocol =
        switch (port.protocol()) {
          case HTTP, DETECTED, TLS, TCP -> PortProtocol.HTTP;
          case HTTP2 -> PortProtocol.HTTP2;
          case GRPC -> PortProtocol.GRPC;
        };
    return new Backend(service, port.number(), protocol, Optional.empty());
  }

  /** Where connections go whose bytes are passed on as they are. */
  public static Backend ofConnections(MeshService service, ServicePort port) {
    PortProtocol protocol =
        switch (port.protocol()) {
          case TLS -> PortProtocol.TLS;
          case HTTP, HTTP2, GRPC, DETECTED, TCP -> PortProtocol.TCP;
        };
    return new Backend(service, port.number(), protocol, Optional.empty());
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
