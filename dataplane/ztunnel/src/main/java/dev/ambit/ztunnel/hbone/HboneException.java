package dev.ambit.ztunnel.hbone;

import io.netty.handler.codec.http2.Http2Error;

/** A peer's breach of HTTP/2 that ends the whole connection. */
public final class HboneException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Http2Error error;

  HboneException(Http2Error error, String message) {
    // No stack trace: a hostile peer decides how many of these there are.
    super(message, null, false, false);
    this.error = error;
  }

  /** What GOAWAY tells the peer. */
  public Http2Error error() {
    return error;
  }
}
