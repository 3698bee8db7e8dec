package dev.ambit.chart;

import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** Runs the real helm on the chart of this checkout. */
record Helm(Path program) {
  static final Path CHART = Path.of("..", "helm", "ambit").toAbsolutePath().normalize();
  static final String NAMESPACE = "ambit-system";

  /** What a run of helm printed, and whether it succeeded. */
  record Outcome(boolean succeeded, String output) {}

  /** The helm that HELM names, else one on PATH, else one that {@code go install} put down. */
  static Helm find() {
    Optional<Path> found =
        Stream.concat(
                Optional.ofNullable(System.getenv("HELM")).map(Path::of).stream(),
                Stream.concat(
                    Stream.of(Objects.requireNonNullElse(System.getenv("PATH"), "").split(":"))
                        .map(directory -> Path.of(directory, "helm")),
                    Stream.of(Path.of(System.getProperty("user.home"), "go", "bin", "helm"))))
            .filter(Files::isExecutable)
            .findFirst();
    if (found.isEmpty()) {
      String reason = "helm is not in HELM, PATH or ~/go/bin";
      if (Boolean.parseBoolean(System.getenv("CI"))) {
        fail(reason);
      }
      abort(reason);
    }
    return new Helm(found.orElseThrow());
  }

  Outcome run(String... arguments) {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    command.addAll(List.of(arguments));
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Outcome(process.waitFor() == 0, output);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot run " + program, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while helm ran", e);
    }
  }

  /** Tries to render the chart with values such as {@code "platform=k3s"}. */
  Outcome template(String... values) {
    List<String> arguments =
        new ArrayList<>(List.of("template", "ambit", CHART.toString(), "--namespace", NAMESPACE));
    for (String value : values) {
      arguments.add("--set");
      arguments.add(value);
    }
    return run(arguments.toArray(String[]::new));
  }

  /** The objects that the chart makes with these values, without its CRDs. */
  List<HasMetadata> objects(String... values) {
    Outcome outcome = template(values);
    if (!outcome.succeeded()) {
      fail("the chart cannot be rendered: %s", outcome.output());
    }
    return parse(outcome.output());
  }

  /** The objects of a file of YAML documents. */
  static List<HasMetadata> parse(String documents) {
    var serialization = new KubernetesSerialization();
    List<HasMetadata> objects = new ArrayList<>();
    for (String document : documents.split("(?m)^---\\s*$")) {
      if (document.lines().allMatch(line -> line.isBlank() || line.startsWith("#"))) {
        continue;
      }
      if (serialization.unmarshal(document) instanceof HasMetadata object) {
        objects.add(object);
      } else {
        fail("not a Kubernetes object: %s", document);
      }
    }
    return objects;
  }
}
