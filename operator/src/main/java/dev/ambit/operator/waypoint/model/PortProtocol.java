package dev.ambit.operator.waypoint.model;

/** What is spoken on a port of a service, as its declaration says. */
public enum PortProtocol {
  /** HTTP/1.1, or HTTP/2 where the client begins with its preface. */
  HTTP,
  /** HTTP/2 from the first byte, towards endpoints too. */
  HTTP2,
  /** gRPC, so HTTP/2 towards endpoints. */
  GRPC,
  /** TLS that passes through unopened; routes see its SNI. */
  TLS,
  /** Bytes, opaque; the server may speak first. */
  TCP,
  /** Nothing is declared: found out from the client's first bytes. */
  DETECTED;

  /** Whether requests on it can be routed. */
  public boolean isHttp() {
    return switch (this) {
      case HTTP, HTTP2, GRPC, DETECTED -> true;
      case TLS, TCP -> false;
    };
  }
}
