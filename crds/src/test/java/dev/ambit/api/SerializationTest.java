package dev.ambit.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class SerializationTest {
  @Test
  void absentFieldsTakeTheirDefaults() {
    var mesh =
        Serialization.unmarshal(
            """
            apiVersion: ambit.dev/v1alpha1
            kind: AmbientMesh
            metadata: {name: default}
            spec:
              ztunnel: {image: registry/ztunnel:1, logLevel: debug}
            """,
            AmbientMesh.class);
    AmbientMeshSpec spec = mesh.effectiveSpec();
    assertThat(spec.trustDomain()).isEqualTo("cluster.local");
    assertThat(spec.excludedNamespaces()).containsExactly("kube-system");
    assertThat(spec.ztunnel().image()).isEqualTo("registry/ztunnel:1");
    assertThat(spec.ztunnel().logLevel()).isEqualTo(LogLevel.DEBUG);
    assertThat(spec.ztunnel().terminationGracePeriodSeconds()).isEqualTo(30);
    assertThat(spec.leaving()).isEqualTo(LeavingSpec.DEFAULTS);
    assertThat(spec.workloadCertificate().lifetime()).isEqualTo(Duration.ofHours(24));
    assertThat(new AmbientMesh().effectiveSpec()).isEqualTo(AmbientMeshSpec.DEFAULTS);
  }

  @Test
  void anEnrollmentSurvivesTheWire() {
    var enrollment = new MeshEnrollment();
    enrollment.setSpec(new MeshEnrollmentSpec(Stage.NONE, MtlsMode.STRICT, null));
    enrollment.setStatus(
        new MeshEnrollmentStatus(
            3L,
            Stage.L4,
            Phase.LEAVING,
            new PodCounts(3, 2, 1),
            List.of(new ExcludedPod("legacy-0", "HostNetwork")),
            Conditions.update(
                List.of(),
                List.of(new Conditions.Wanted(Conditions.READY, false, "Leaving", "m")),
                3L,
                Instant.EPOCH),
            List.of(new Transition("1970-01-01T00:00:00Z", Stage.L4, Phase.LEAVING, "Asked"))));
    String yaml = Serialization.asYaml(enrollment);
    assertThat(yaml)
        .contains("stage: \"None\"", "mtls: \"Strict\"", "phase: \"Leaving\"")
        .doesNotContain("mirror", "effectiveSpec");
    var read = Serialization.unmarshal(yaml, MeshEnrollment.class);
    assertThat(read.getSpec()).isEqualTo(enrollment.getSpec());
    assertThat(read.getStatus()).isEqualTo(enrollment.getStatus());
  }

  @Test
  void aConditionKeepsItsTimeWhileItsStatusStays() {
    var wanted = List.of(new Conditions.Wanted(Conditions.READY, true, "Done", "m"));
    var before = Conditions.update(List.of(), wanted, 1L, Instant.EPOCH);
    var same = Conditions.update(before, wanted, 1L, Instant.EPOCH.plusSeconds(9));
    assertThat(same).isEqualTo(before);
    var flipped =
        Conditions.update(
            before,
            List.of(new Conditions.Wanted(Conditions.READY, false, "Done", "m")),
            1L,
            Instant.EPOCH.plusSeconds(9));
    assertThat(flipped.getFirst().getLastTransitionTime()).isEqualTo("1970-01-01T00:00:09Z");
  }
}
