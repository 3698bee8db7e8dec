package dev.ambit.ztunnel.channel;

import io.grpc.Status;
import java.security.cert.CertificateException;
import org.jspecify.annotations.Nullable;

/** Says in a line why a call failed. */
public final class CallFailure {
  private CallFailure() {}

  /** The status, its description, and what lies at the bottom of it. */
  public static String describe(Throwable failure) {
    Status status = Status.fromThrowable(failure);
    if (status.getCode() == Status.Code.UNKNOWN && status.getDescription() == null) {
      return String.valueOf(failure.getMessage());
    }
    StringBuilder text = new StringBuilder(status.getCode().name());
    append(text, status.getDescription());
    Throwable cause = status.getCause();
    boolean untrusted = cause instanceof CertificateException;
    while (cause != null && cause.getCause() != null) {
      cause = cause.getCause();
      untrusted |= cause instanceof CertificateException;
    }
    if (untrusted) {
      append(
          text, "the server's certificate is not one that the given root certificates vouch for");
    }
    append(text, cause == null ? null : cause.getMessage());
    return text.toString();
  }

  private static void append(StringBuilder text, @Nullable String part) {
    if (part != null && !part.isBlank()) {
      // gRPC adds its pipeline on further lines.
      text.append(": ").append(part.lines().findFirst().orElse(""));
    }
  }
}
