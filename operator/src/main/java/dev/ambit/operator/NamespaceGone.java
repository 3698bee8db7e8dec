package dev.ambit.operator;

import io.fabric8.kubernetes.api.model.StatusCause;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;

/**
 * Recognizes writes that fail since their namespace is going or gone; there is nothing to retry.
 */
public final class NamespaceGone {
  private static final String TERMINATING = "NamespaceTerminating";

  private NamespaceGone() {}

  /** Whether a write failed for that. */
  public static boolean isCauseOf(KubernetesClientException failure) {
    return switch (failure.getCode()) {
      case HttpURLConnection.HTTP_NOT_FOUND -> true;
      case HttpURLConnection.HTTP_FORBIDDEN ->
          failure.getStatus() != null
              && failure.getStatus().getDetails() != null
              && failure.getStatus().getDetails().getCauses().stream()
                  .map(StatusCause::getReason)
                  .anyMatch(TERMINATING::equals);
      default -> false;
    };
  }
}
