package dev.ambit.ztunnel.netns;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/** What the machine has to offer for tests in network namespaces. */
final class Requirements {
  /**
   * Held by tests that load all processors, and by those that count what was not done in time: such
   * do not run beside each other.
   */
  static final String PROCESSORS = "processors";

  private Requirements() {}

  /** Skips the test, or fails it in CI, where the machine lacks a part. */
  static void check() {
    check(List.of("ip", "nft", "setpriv", "tcpdump"));
  }

  /** The same, for these programs. */
  static void check(List<String> programs) {
    var missing = missing(programs);
    if (missing.isEmpty()) {
      return;
    }
    var reason = "network namespace tests need " + String.join(", ", missing);
    if ("true".equals(System.getenv("CI"))) {
      Assertions.fail(reason);
    }
    System.err.println("SKIPPED: " + reason);
    Assumptions.abort(reason);
  }

  private static List<String> missing(List<String> programs) {
    var missing = new java.util.ArrayList<String>();
    if (!"root".equals(System.getProperty("user.name"))) {
      missing.add("root");
    }
    for (String program : programs) {
      if (!isInstalled(program)) {
        missing.add("the program " + program);
      }
    }
    return missing;
  }

  private static boolean isInstalled(String program) {
    var path = System.getenv().getOrDefault("PATH", "") + ":/usr/sbin:/sbin";
    return Arrays.stream(path.split(":"))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }
}
