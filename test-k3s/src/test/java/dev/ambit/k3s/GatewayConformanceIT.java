package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The Gateway API's conformance tests for meshes, as {@code test-k3s/bin/conformance} builds them;
 * their report is in {@code .build/conformance}.
 */
@ExtendWith(ClusterExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GatewayConformanceIT {
  private static final Path FOLDER = Checkout.root().resolve(".build/conformance");
  private static final Path PROGRAM = FOLDER.resolve("conformance.test");
  private static final Path REPORT = FOLDER.resolve("report.yaml");
  private static final Path LOG = FOLDER.resolve("log");
  private static final String IMAGE = "registry.k8s.io/gateway-api/echo-advanced:v1.5.1";
  private static final long MINUTES = 20;
  private static final Pattern RESULT =
      Pattern.compile("^ {4}--- (PASS|FAIL): TestConformance/(\\w+) ", Pattern.MULTILINE);

  /** A row of the guide's table of these tests. */
  private static final Pattern ROW = Pattern.compile("^\\| `(Mesh\\w+)` \\|", Pattern.MULTILINE);

  private Map<String, String> results = Map.of();
  private String log = "";

  @BeforeAll
  void run(TwoNodeCluster cluster) throws IOException, InterruptedException {
    if (!Files.isExecutable(PROGRAM)) {
      var message = "Needs " + PROGRAM + "; run test-k3s/bin/conformance";
      if (Boolean.parseBoolean(System.getenv("CI"))) {
        fail(message);
      } else {
        abort(message);
      }
    }
    var ambit = InstalledAmbit.on(cluster);
    ambit.cluster().load(IMAGE);
    var kubeconfig = Files.createTempFile("kubeconfig", ".yaml");
    Files.writeString(kubeconfig, cluster.kubeconfig());
    var command =
        new ProcessBuilder(
                PROGRAM.toString(),
                "-test.run=^TestConformance$",
                "-test.v",
                "-test.timeout=" + MINUTES + "m",
                "-report-output=" + REPORT)
            .redirectErrorStream(true)
            .redirectOutput(LOG.toFile());
    command.environment().put("KUBECONFIG", kubeconfig.toString());
    Files.deleteIfExists(REPORT);
    var process = command.start();
    if (!process.waitFor(MINUTES + 1, TimeUnit.MINUTES)) {
      process.destroyForcibly();
    }
    log = Files.readString(LOG);
    results =
        RESULT
            .matcher(log)
            .results()
            .collect(
                Collectors.toMap(
                    match -> match.group(2),
                    match -> match.group(1),
                    (one, other) -> other,
                    TreeMap::new));
    Files.delete(kubeconfig);
  }

  @Test
  void every_test_of_the_mesh_profiles_passes() {
    assertThat(results).as("results in %s, which ends: %s", LOG, end()).isNotEmpty();
    assertThat(
            results.entrySet().stream()
                .filter(result -> result.getValue().equals("FAIL"))
                .map(Map.Entry::getKey))
        .as("failed tests; %s has their output", LOG)
        .isEmpty();
  }

  @Test
  void the_report_says_that_both_profiles_are_conformant() throws IOException {
    assertThat(REPORT).exists();
    var report = Serialization.unmarshal(Files.readString(REPORT), GenericKubernetesResource.class);
    assertThat(report.<List<Map<String, Object>>>get("profiles"))
        .extracting(profile -> profile.get("name"))
        .containsExactlyInAnyOrder("MESH-HTTP", "MESH-GRPC");
    for (var profile : report.<List<Map<String, Object>>>get("profiles")) {
      for (var level : List.of("core", "extended")) {
        if (profile.get(level) instanceof Map<?, ?> result) {
          assertThat(result.get("result"))
              .as("%s %s", profile.get("name"), level)
              .isEqualTo("success");
        }
      }
    }
  }

  @Test
  void the_guides_table_lists_the_tests_that_were_run() throws IOException {
    var listed =
        ROW.matcher(Files.readString(Checkout.root().resolve("docs/l7.md")))
            .results()
            .map(match -> match.group(1))
            .toList();
    assertThat(results.keySet()).as("tests that ran, against docs/l7.md").hasSameElementsAs(listed);
  }

  private String end() {
    return log.substring(Math.max(0, log.length() - 2000));
  }
}
