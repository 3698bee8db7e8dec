package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneException;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.handler.codec.DecoderException;
import java.util.concurrent.CompletionException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Why a connection could not be established.
 *
 * @param error for the log
 * @param flag for metrics
 * @param ours whether the cause is on this side, so that nobody else would be reached either
 */
record ConnectionFailure(String error, ResponseFlag flag, boolean ours) {
  ConnectionFailure(String error, ResponseFlag flag) {
    this(error, flag, false);
  }

  /** The same, as a cause on this side. */
  ConnectionFailure asOurs() {
    return new ConnectionFailure(error, flag, true);
  }

  /**
   * Whether a waypoint may let the same connection pass in a moment: it was not reached, or does
   * not know of the destination. What it thinks of the caller does not pass.
   */
  boolean mayPass() {
    return flag == ResponseFlag.CONNECT_FAILED && !ours;
  }

  /** What went wrong while a tunnel was set up. */
  static ConnectionFailure ofTunnel(String what, @Nullable Throwable cause) {
    Throwable root = unwrap(cause);
    ResponseFlag flag =
        switch (root) {
          case IdentityMismatchException e -> ResponseFlag.IDENTITY_ERROR;
          case RevokedCertificateException e -> ResponseFlag.CERTIFICATE_REVOKED;
          case SSLException e -> ResponseFlag.TLS_FAILURE;
          case HboneException e -> ResponseFlag.HTTP2_HANDSHAKE_FAILURE;
          case null, default -> ResponseFlag.CONNECT_FAILED;
        };
    return new ConnectionFailure(what + ": " + text(root), flag);
  }

  static ConnectionFailure of(String what, @Nullable Throwable cause, ResponseFlag flag) {
    return new ConnectionFailure(what + ": " + text(unwrap(cause)), flag);
  }

  /** What {@code cause} says, for the log. */
  static String text(@Nullable Throwable cause) {
    Throwable root = unwrap(cause);
    if (root == null) {
      return "closed";
    }
    String message = root.getMessage();
    return message == null ? root.getClass().getSimpleName() : message;
  }

  private static @Nullable Throwable unwrap(@Nullable Throwable cause) {
    Throwable root = cause;
    while ((root instanceof CompletionException || root instanceof DecoderException)
        && root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }
}
