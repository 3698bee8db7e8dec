package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.PortProtocol;

/**
 * The kinds of routes, in the order in which they take a port of a service from one another
 * (GEP-1294).
 */
enum RouteKind {
  GRPC("GRPCRoute"),
  HTTP("HTTPRoute"),
  TLS("TLSRoute"),
  TCP("TCPRoute");

  private final String text;

  RouteKind(String text) {
    this.text = text;
  }

  /** As Kubernetes has it. */
  String text() {
    return text;
  }

  /** Whether it is about requests rather than connections. */
  boolean ofRequests() {
    return switch (this) {
      case GRPC, HTTP -> true;
      case TLS, TCP -> false;
    };
  }

  /** Whether it can say what becomes of traffic to a port that declares this protocol. */
  boolean fits(PortProtocol protocol) {
    return switch (protocol) {
      case HTTP, HTTP2, GRPC -> ofRequests();
      case DETECTED -> true;
      case TLS, TCP -> !ofRequests();
    };
  }
}
