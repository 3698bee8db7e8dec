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
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * What the guide to layer 7 shows, done as it stands there: manifests are applied, commands are
 * given until they print the lines that the guide shows.
 */
@ExtendWith(ClusterExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GuideIT {
  private static final Duration PATIENCE = Duration.ofSeconds(90);
  private static final long COMMAND_SECONDS = 240;

  private InstalledAmbit ambit;
  private Path kubeconfig;

  @BeforeAll
  void install(TwoNodeCluster cluster) throws IOException {
    ambit = InstalledAmbit.on(cluster);
    kubeconfig = Files.createTempFile("kubeconfig", ".yaml");
    Files.writeString(kubeconfig, cluster.kubeconfig());
  }

  @AfterAll
  void remove() throws IOException {
    ambit.client().namespaces().withName("shop").withGracePeriod(0).delete();
    Files.delete(kubeconfig);
  }

  @TestFactory
  Stream<DynamicTest> each_section() throws IOException {
    return GuideSection.of(Files.readString(Checkout.root().resolve("docs/l7.md"))).stream()
        .filter(section -> !section.steps().isEmpty())
        .map(section -> dynamicTest(section.title(), () -> follow(section)));
  }

  private void follow(GuideSection section) {
    var applied = new java.util.ArrayList<HasMetadata>();
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
