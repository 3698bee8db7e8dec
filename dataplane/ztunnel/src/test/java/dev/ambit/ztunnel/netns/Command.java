package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Programs of the machine that are run to their end. */
final class Command {
  private static final long TIMEOUT_SECONDS = 60;

  private Command() {}

  static String run(String... command) {
    return runWithInput("", List.of(command));
  }

  /**
   * Runs {@code command} with {@code input} on its standard input.
   *
   * @return what it printed, on standard output and error
   * @throws IllegalStateException where it fails, with what it printed
   */
  static String runWithInput(String input, List<String> command) {
    try {
      var process = new ProcessBuilder(command).redirectErrorStream(true).start();
      try (var stdin = process.outputWriter(StandardCharsets.UTF_8)) {
        stdin.write(input);
      }
      var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException(command + " did not end; it printed:\n" + output);
      }
      if (process.exitValue() != 0) {
        throw new IllegalStateException(
            command + " ended with " + process.exitValue() + ":\n" + output + "\ninput:\n" + input);
      }
      return output;
    } catch (IOException e) {
      throw new IllegalStateException(command + " failed; input:\n" + input, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(command + " was interrupted", e);
    }
  }
}
