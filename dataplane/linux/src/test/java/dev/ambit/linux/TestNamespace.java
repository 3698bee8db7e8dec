package dev.ambit.linux;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Callable;

/** A network namespace of a test's own, removed with it. */
final class TestNamespace implements AutoCloseable {
  private final String name;
  private final NetworkNamespace namespace;

  TestNamespace(String suffix) throws Exception {
    boolean root = "root".equals(System.getProperty("user.name"));
    if (!"true".equals(System.getenv("CI"))) {
      assumeTrue(root, "needs root to make network namespaces");
    }
    name = "ambit-lx-" + ProcessHandle.current().pid() + "-" + suffix;
    run("ip", "netns", "add", name);
    namespace = NetworkNamespace.open("/var/run/netns/" + name);
  }

  <T> T call(Callable<T> work) throws Exception {
    return namespace.call(work);
  }

  String ip(String... arguments) throws Exception {
    var command = new java.util.ArrayList<>(List.of("ip", "-n", name));
    command.addAll(List.of(arguments));
    return run(command.toArray(String[]::new));
  }

  private static String run(String... command) throws Exception {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output);
    }
    return output;
  }

  @Override
  public void close() throws Exception {
    namespace.close();
    run("ip", "netns", "del", name);
  }
}
