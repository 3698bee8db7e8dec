package dev.ambit.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;

/**
 * What a command has around it.
 *
 * @param terminal whether a person looks at the output
 * @param folder what relative paths start from
 * @param adminPort how ztunnels and waypoints are asked
 */
record Environment(
    PrintStream out,
    PrintStream err,
    boolean terminal,
    Map<String, String> variables,
    InstantSource clock,
    Path folder,
    AdminPort adminPort) {

  /** That of this process. */
  static Environment ofProcess() {
    var console = System.console();
    return new Environment(
        stream(FileDescriptor.out),
        stream(FileDescriptor.err),
        console != null && console.isTerminal(),
        System.getenv(),
        InstantSource.system(),
        Path.of("").toAbsolutePath(),
        new ForwardedAdminPort());
  }

  private static PrintStream stream(FileDescriptor descriptor) {
    return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }

  /** A variable that is set and not empty. */
  Optional<String> variable(String name) {
    return Optional.ofNullable(variables.get(name)).filter(value -> !value.isEmpty());
  }

  /** Whether output may have colours; see https://no-color.org. */
  boolean colour() {
    return terminal && variable("NO_COLOR").isEmpty() && !"dumb".equals(variables.get("TERM"));
  }
}
