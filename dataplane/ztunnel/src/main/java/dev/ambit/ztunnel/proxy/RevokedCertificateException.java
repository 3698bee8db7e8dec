package dev.ambit.ztunnel.proxy;

import javax.net.ssl.SSLException;

/** A peer has proven who it is by a certificate that its issuer has taken back. */
final class RevokedCertificateException extends SSLException {
  private static final long serialVersionUID = 1L;

  RevokedCertificateException(String message) {
    super(message);
  }
}
