package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/**
 * A page of the documentation, done as it stands there: manifests are applied, commands are given
 * until they print the lines that the page shows.
 */
final class Guide implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(90);
  private static final long COMMAND_SECONDS = 240;

  private final InstalledAmbit ambit;
  private final Path page;
  private final Path kubeconfig;

  /**
   * @param page its path in the checkout
   */
  Guide(InstalledAmbit ambit, String page) {
    this.ambit = ambit;
    this.page = Checkout.root().resolve(page);
    try {
      kubeconfig = Files.createTempFile("kubeconfig", ".yaml");
      Files.writeString(kubeconfig, ambit.cluster().kubeconfig());
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /**
   * A test of each section that has something to do, in their order; later ones build on earlier.
   */
  Stream<DynamicTest> sections() throws IOException {
    return GuideSection.of(Files.readString(page)).stream()
        .filter(section -> !section.steps().isEmpty())
        .map(section -> dynamicTest(section.title(), () -> follow(section)));
  }

  @Override
  public void close() throws IOException {
    Files.delete(kubeconfig);
  }

  private void follow(GuideSection section) {
    var applied = new ArrayList<HasMetadata>();
    try {
      for (var step : section.steps()) {
        switch (step) {
          case GuideSection.Manifest manifest -> {
            var objects = apply(manifest.text());
            if (!manifest.stays()) {
              applied.addAll(objects);
            }
          }
          case GuideSection.Command command -> give(command);
        }
      }
    } finally {
      applied.reversed().forEach(object -> ambit.client().resource(object).delete());
    }
  }

  private List<HasMetadata> apply(String manifest) {
    return ambit
        .client()
        .load(new ByteArrayInputStream(manifest.getBytes(StandardCharsets.UTF_8)))
        .forceConflicts()
        .serverSideApply();
  }

  private void give(GuideSection.Command command) {
    if (command.output().isEmpty()) {
      run(command.text()).orThrow();
      return;
    }
    await(command.text())
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              var result = run(command.text());
              assertThat(command.missing(result.output() + "\n" + result.error()))
                  .as("lines missing from %s", result)
                  .isEmpty();
            });
  }

  private CommandResult run(String command) {
    try {
      var output = Files.createTempFile("output", ".log");
      var error = Files.createTempFile("error", ".log");
      var process =
          new ProcessBuilder("bash", "-c", command)
              .directory(Checkout.root().toFile())
              .redirectOutput(output.toFile())
              .redirectError(error.toFile());
      process.environment().put("KUBECONFIG", kubeconfig.toString());
      process
          .environment()
          .merge(
              "PATH",
              Checkout.root().resolve(".build/bin").toString(),
              (path, bin) -> bin + ":" + path);
      var running = process.start();
      if (!running.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
        running.destroyForcibly().waitFor();
      }
      var result =
          new CommandResult(running.exitValue(), Files.readString(output), Files.readString(error));
      Files.delete(output);
      Files.delete(error);
      return result;
    } catch (IOException e) {
      throw new AssertionError("'" + command + "' cannot be run", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
