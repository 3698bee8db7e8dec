package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
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
  private static final GoTests TESTS = new GoTests("conformance");
  private static final Path REPORT = TESTS.folder().resolve("report.yaml");

  /** Istio's echo server and client, as the suite's manifests call their image. */
  static final String IMAGE = "registry.k8s.io/gateway-api/echo-advanced:v1.5.1";

  private static final long MINUTES = 20;

  /** A test of the suite, and not a part of one. */
  private static final Pattern NAME = Pattern.compile("TestConformance/(\\w+)");

  /** A row of the guide's table of these tests. */
  private static final Pattern ROW = Pattern.compile("^\\| `(Mesh\\w+)` \\|", Pattern.MULTILINE);

  private GoTests.Results results;

  @BeforeAll
  void run(TwoNodeCluster cluster) throws IOException, InterruptedException {
    TESTS.requireBuilt();
    var ambit = InstalledAmbit.on(cluster);
    ambit.cluster().load(IMAGE);
    Files.deleteIfExists(REPORT);
    results =
        TESTS.run(cluster, MINUTES, "-test.run=^TestConformance$", "-report-output=" + REPORT);
  }

  private static List<String> names(Collection<String> tests) {
    return tests.stream()
        .map(NAME::matcher)
        .filter(Matcher::matches)
        .map(match -> match.group(1))
        .toList();
  }

  @Test
  void every_test_of_the_mesh_profiles_passes() {
    assertThat(names(results.byName().keySet()))
        .as("results in %s, which ends: %s", results.log(), results.end())
        .isNotEmpty();
    assertThat(names(results.with("FAIL")))
        .as("failed tests; %s has their output", results.log())
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
    // Those of features that are not claimed are skipped, and not listed.
    assertThat(names(Stream.of("PASS", "FAIL").flatMap(r -> results.with(r).stream()).toList()))
        .as("tests that ran, against docs/l7.md")
        .hasSameElementsAs(listed);
  }
}
