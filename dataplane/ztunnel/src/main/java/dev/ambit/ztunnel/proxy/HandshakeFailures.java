package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneException;
import dev.ambit.ztunnel.telemetry.HandshakeFailure;
import dev.ambit.ztunnel.telemetry.Reporter;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.io.IOException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.CertificateRevokedException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Tells, of what TLS threw, why a tunnel did not come to be. */
final class HandshakeFailures {
  private HandshakeFailures() {}

  static HandshakeFailure of(Reporter reporter, @Nullable Throwable failure) {
    HandshakeFailure found = HandshakeFailure.CLOSED;
    // The deepest cause that says anything says it best.
    int depth = 0;
    for (Throwable cause = failure; cause != null && depth < 16; cause = cause.getCause()) {
      HandshakeFailure told = one(reporter, cause);
      if (told != HandshakeFailure.OTHER || depth == 0) {
        found = told;
      }
      depth++;
    }
    return found;
  }

  private static HandshakeFailure one(Reporter reporter, Throwable cause) {
    return switch (cause) {
      case IdentityMismatchException e ->
          switch (reporter) {
            case SOURCE -> HandshakeFailure.IDENTITY_MISMATCH;
            case DESTINATION -> HandshakeFailure.TRUST_DOMAIN;
          };
      case RevokedCertificateException e -> HandshakeFailure.REVOKED;
      case SslHandshakeTimeoutException e -> HandshakeFailure.TIMEOUT;
      case NotSslRecordException e -> HandshakeFailure.PLAINTEXT;
      case HboneException e -> HandshakeFailure.HTTP2;
      case CertificateExpiredException e -> HandshakeFailure.EXPIRED;
      case CertificateNotYetValidException e -> HandshakeFailure.NOT_YET_VALID;
      case CertificateRevokedException e -> HandshakeFailure.REVOKED;
      case CertPathValidatorException e -> validation(e);
      case CertPathBuilderException e -> HandshakeFailure.UNKNOWN_CA;
      case CertificateException e -> HandshakeFailure.BAD_CERTIFICATE;
      case SSLException e -> message(String.valueOf(e.getMessage()));
      case IOException e -> HandshakeFailure.CLOSED;
      default -> HandshakeFailure.OTHER;
    };
  }

  private static HandshakeFailure validation(CertPathValidatorException failure) {
    if (failure.getReason() instanceof BasicReason reason) {
      return switch (reason) {
        case EXPIRED -> HandshakeFailure.EXPIRED;
        case NOT_YET_VALID -> HandshakeFailure.NOT_YET_VALID;
        case REVOKED, UNDETERMINED_REVOCATION_STATUS -> HandshakeFailure.REVOKED;
        case INVALID_SIGNATURE -> HandshakeFailure.UNKNOWN_CA;
        case UNSPECIFIED, ALGORITHM_CONSTRAINED -> HandshakeFailure.BAD_CERTIFICATE;
      };
    }
    return HandshakeFailure.BAD_CERTIFICATE;
  }

  /** BoringSSL's reasons, and our own. */
  private static HandshakeFailure message(String text) {
    if (text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE")
        || text.contains("showed no certificate")) {
      return HandshakeFailure.NO_CERTIFICATE;
    }
    if (text.contains("_ALERT_") || text.contains("CERTIFICATE_REQUIRED")) {
      return text.contains("PROTOCOL_VERSION")
              || text.contains("HANDSHAKE_FAILURE")
              || text.contains("NO_APPLICATION_PROTOCOL")
          ? HandshakeFailure.PROTOCOL
          : HandshakeFailure.REJECTED_BY_PEER;
    }
    if (text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST")) {
      return HandshakeFailure.PLAINTEXT;
    }
    if (text.contains("UNSUPPORTED_PROTOCOL")
        || text.contains("NO_SHARED_CIPHER")
        || text.contains("NO_SHARED_GROUP")
        || text.contains("does not speak HTTP/2")) {
      return HandshakeFailure.PROTOCOL;
    }
    if (text.contains("closed")) {
      return HandshakeFailure.CLOSED;
    }
    return HandshakeFailure.OTHER;
  }
}
