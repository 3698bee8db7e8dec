package dev.ambit.operator.fleet.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.MeshEnrollment;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Who decides for a namespace. */
class StandingTest {
  private static final Map<String, String> LABELS = Map.of("team", "a");

  private static ClusterMeshEnrollment fleet(String name, String created) {
    return Serialization.unmarshal(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: ClusterMeshEnrollment
        metadata: {name: %s, creationTimestamp: "%s"}
        spec: {namespaces: {matchLabels: {team: a}}}
        """
            .formatted(name, created),
        ClusterMeshEnrollment.class);
  }

  private static MeshEnrollment enrollment(String metadata, String spec) {
    return Serialization.unmarshal(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: shop, %s}
        spec: {%s}
        """
            .formatted(metadata, spec),
        MeshEnrollment.class);
  }

  private static Standing standing(MeshEnrollment... enrollments) {
    return Standing.of(
        "mine",
        true,
        false,
        LABELS,
        List.of(enrollments),
        List.of(fleet("mine", "2026-01-02T00:00:00Z")));
  }

  @Test
  void usersDecideWhateverTheyNameTheirs() {
    assertThat(standing()).isEqualTo(new Standing.Free());
    assertThat(standing(enrollment("name: default", "stage: L4")))
        .isEqualTo(new Standing.Own("default", false));
    assertThat(standing(enrollment("name: default", "stage: L4, dryRun: true")))
        .isEqualTo(new Standing.Free());
    assertThat(standing(enrollment("name: fleet, labels: {ambit.dev/fleet: mine}", "stage: L4")))
        .isEqualTo(new Standing.Free());
  }

  @Test
  void aUsersPlanOfAFleetsNameIsNotWrittenOver() {
    assertThat(standing(enrollment("name: fleet", "stage: L4, dryRun: true")))
        .isEqualTo(new Standing.Own("fleet", false));
  }

  @Test
  void theOlderFleetDecidesAndThenWhatIsSelectedAndExcluded() {
    var mine = fleet("mine", "2026-01-02T00:00:00Z");
    var older = fleet("older", "2026-01-01T00:00:00Z");
    assertThat(Standing.of("mine", true, false, LABELS, List.of(), List.of(mine, older)))
        .isEqualTo(new Standing.OtherFleet("older"));
    assertThat(Standing.of("mine", false, false, Map.of(), List.of(), List.of(mine, older)))
        .isEqualTo(new Standing.Deselected());
    assertThat(Standing.of("mine", true, true, LABELS, List.of(), List.of(mine)))
        .isEqualTo(new Standing.Excluded());
  }
}
