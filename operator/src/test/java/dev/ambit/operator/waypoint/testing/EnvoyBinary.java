package dev.ambit.operator.waypoint.testing;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/** The Envoy that {@code test-k3s/bin/envoy} gets, or the one that {@code AMBIT_ENVOY} names. */
public final class EnvoyBinary {
  private EnvoyBinary() {}

  /** Where it is; skips the test where it is nowhere, or fails it in CI. */
  public static Path require() {
    return find()
        .orElseGet(
            () -> {
              String reason = "tests of waypoints need Envoy; run test-k3s/bin/envoy to get it";
              if ("true".equals(System.getenv("CI"))) {
                return Assertions.fail(reason);
              }
              System.err.println("SKIPPED: " + reason);
              return Assumptions.abort(reason);
            });
  }

  private static Optional<Path> find() {
    String named = System.getenv("AMBIT_ENVOY");
    if (named != null && !named.isEmpty()) {
      return Optional.of(Path.of(named));
    }
    for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
      Path binary = folder.resolve(".build/envoy/envoy");
      if (Files.isExecutable(binary)) {
        return Optional.of(binary);
      }
    }
    return Optional.empty();
  }
}
