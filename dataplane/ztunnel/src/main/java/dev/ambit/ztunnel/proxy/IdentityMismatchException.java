package dev.ambit.ztunnel.proxy;

import javax.net.ssl.SSLException;

/** A peer with a valid certificate of somebody else. */
final class IdentityMismatchException extends SSLException {
  private static final long serialVersionUID = 1L;

  IdentityMismatchException(String message) {
    super(message);
  }
}
