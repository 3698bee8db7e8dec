package dev.ambit.k3s;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The command line of this checkout, run against a cluster as a person runs it. */
final class AmbitCommand {
  private static final long MINUTES = 5;

  private final Path folder;

  AmbitCommand(TwoNodeCluster cluster) {
    try {
      folder = Files.createTempDirectory("ambit-command");
      Files.writeString(folder.resolve("kubeconfig"), cluster.kubeconfig());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /** Where it runs. */
  Path folder() {
    return folder;
  }

  CommandResult run(String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Checkout.root().resolve("operator/bin/ambit").toString());
    command.addAll(List.of(arguments));
    Path output = folder.resolve("output");
    Path error = folder.resolve("error");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectOutput(output.toFile())
            .redirectError(error.toFile());
    builder.environment().put("KUBECONFIG", folder.resolve("kubeconfig").toString());
    try {
      Process process = builder.start();
      if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new AssertionError(String.join(" ", command) + " does not end");
      }
      return new CommandResult(
          process.exitValue(),
          Files.readString(output, StandardCharsets.UTF_8),
          Files.readString(error, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new AssertionError("the command line cannot be run: build it with `make build`", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
