package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.Optional;

/** What the API server's answers mean to whoever runs a command. */
final class Failures {
  private Failures() {}

  /** The failure as one line with what to do. */
  static Failure of(KubernetesClientException problem) {
    if (problem.getCode() < 100) {
      return new Failure(
          ExitCode.UNREACHABLE,
          "the API server does not answer ("
              + cause(problem)
              + "): see whether `kubectl version` works with the same --kubeconfig and --context");
    }
    String said =
        Optional.ofNullable(problem.getStatus())
            .map(status -> status.getMessage())
            .orElseGet(() -> firstLine(String.valueOf(problem.getMessage())));
    return switch (problem.getCode()) {
      case 401 ->
          Failure.refused(
              "the API server does not accept these credentials: log in again, or choose another"
                  + " --context");
      case 403 -> Failure.refused(said + ". Ask for that permission; docs/cli.md lists them");
      case 404 -> Failure.refused(said);
      case 409 -> Failure.refused(said);
      case 502, 503, 504 ->
          new Failure(ExitCode.UNREACHABLE, "the API server cannot answer now: " + said);
      default -> Failure.refused(said);
    };
  }

  /** The innermost cause, which names host and reason. */
  static String cause(Throwable problem) {
    Throwable innermost = problem;
    while (innermost.getCause() != null && innermost.getCause() != innermost) {
      innermost = innermost.getCause();
    }
    String message = innermost.getMessage();
    return message == null
        ? innermost.getClass().getSimpleName()
        : innermost.getClass().getSimpleName() + ": " + firstLine(message);
  }

  private static String firstLine(String text) {
    int end = text.indexOf('\n');
    return end < 0 ? text : text.substring(0, end);
  }
}
