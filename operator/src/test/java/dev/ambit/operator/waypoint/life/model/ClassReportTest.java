package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.gatewayapi.v1.SupportedFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A class says that it can do what the conformance tests are told that it can. */
class ClassReportTest {
  private static final Path CONFORMANCE = Path.of("../test-k3s/conformance/conformance_test.go");
  private static final Pattern CLAIM = Pattern.compile("features\\.Support(\\w+),");

  @Test
  void itHasTheFeaturesThatItsConformanceClaims() throws IOException {
    List<String> claimed =
        CLAIM
            .matcher(Files.readString(CONFORMANCE))
            .results()
            .map(claim -> claim.group(1))
            .toList();
    List<String> supported =
        ClassReport.of(null, Optional.of("v1.6.3"), 1L, Instant.EPOCH)
            .getSupportedFeatures()
            .stream()
            .map(SupportedFeature::getName)
            .toList();
    assertThat(claimed).isNotEmpty();
    assertThat(supported).containsAll(claimed);
    // As the Gateway API has them.
    assertThat(supported).isSorted().doesNotHaveDuplicates();
  }
}
