package dev.ambit.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
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
    enrollment.setSpec(
        new MeshEnrollmentSpec(
            Stage.NONE,
            new RolloutSpec(
                List.of(new RolloutStep("10%", "1h30m"), new RolloutStep("100%", null)),
                new AbortThreshold("0.5%", 20),
                OnAbort.HOLD),
            EnrollmentMtls.STRICT_WHEN_QUIET,
            "36h",
            false,
            new EnrollmentWaypoint(
                "gate",
                WaypointFor.ALL,
                "parameters",
                null,
                new WaypointAutoscaling(3, 5, 60),
                new ResourceRequirementsBuilder()
                    .addToRequests("cpu", new Quantity("250m"))
                    .build(),
                WhenMissing.BYPASS),
            true,
            null));
    enrollment.setStatus(
        new MeshEnrollmentStatus(
            3L,
            Stage.L4,
            Phase.LEAVING,
            new PodCounts(3, 2, 1, 0, 1),
            List.of(new ExcludedPod("legacy-0", "HostNetwork")),
            new InForce(
                20, EnrollmentMtls.PERMISSIVE, false, WhenMissing.BYPASS, "waypoint", "next"),
            new RolloutStatus(1, 2, "1/2", "1970-01-01T00:00:00Z", false, 40, 2, null),
            new WaypointStatus("1970-01-01T00:00:00Z", "old"),
            new MtlsStatus(
                "1970-01-01T00:00:00Z",
                "1970-01-01T00:00:01Z",
                "1970-01-01T00:00:02Z",
                1,
                7,
                List.of(
                    new PlaintextSender(
                        "deployment legacy/caller",
                        "web",
                        8080,
                        "tcp",
                        7,
                        1,
                        900L,
                        "1970-01-01T00:00:00Z")),
                List.of("a")),
            List.of(new Finding(Severity.ERROR, "HostNetwork", "Pod shop/legacy-0", "m")),
            new EnrollmentPlan(
                Stage.L4,
                1,
                2,
                3,
                List.of("web-0"),
                List.of("old-0", "old-1"),
                List.of(1, 6),
                List.of(new PolicyPlan("AuthorizationPolicy shop/a", "nobody", "ztunnel", false)),
                4,
                new WaypointPlan(
                    "gate",
                    true,
                    new ResourceDemand(2, "200m", "256Mi"),
                    new ResourceDemand(5, "500m", null),
                    null),
                new ConnectionPlan("1970-01-01T00:00:00Z", 4L, null, 2L, List.of("node a"))),
            Conditions.update(
                List.of(),
                List.of(new Conditions.Wanted(Conditions.READY, false, "Leaving", "m")),
                3L,
                Instant.EPOCH),
            List.of(new Transition("1970-01-01T00:00:00Z", Stage.L4, Phase.LEAVING, "Asked"))));
    String yaml = Serialization.asYaml(enrollment);
    assertThat(yaml)
        .contains(
            "stage: \"None\"",
            "mtls: \"StrictWhenQuiet\"",
            "phase: \"Leaving\"",
            "onAbort: \"Hold\"")
        .doesNotContain("mirror", "effective", "percent", "bakeTime", "exceeded", "onlyPlans");
    var read = Serialization.unmarshal(yaml, MeshEnrollment.class);
    assertThat(read.getSpec()).isEqualTo(enrollment.getSpec());
    assertThat(read.getStatus()).isEqualTo(enrollment.getStatus());
  }

  @Test
  void aFleetSurvivesTheWire() {
    var fleet = new ClusterMeshEnrollment();
    fleet.setSpec(
        new ClusterMeshEnrollmentSpec(
            new NamespaceSelector(
                Map.of("team", "a"),
                List.of(new SelectorRequirement("tier", SelectorOperator.NOT_IN, List.of("test")))),
            List.of(
                new Wave("canary", new NamespaceSelector(Map.of("c", "y"), null), null, "1h"),
                new Wave("tenth", null, "10%", null)),
            3,
            2,
            MeshEnrollmentSpec.of(Stage.L7),
            true));
    fleet.setStatus(
        new ClusterMeshEnrollmentStatus(
            2L,
            new NamespaceCounts(9, 1, 2, 3, 1, 2, 4),
            Map.of("Done", 1),
            new WaveStatus("canary", "1/2", "0a1b", "1970-01-01T00:00:00Z", false),
            List.of(new MovingNamespace("a", "canary", "1970-01-01T00:00:00Z")),
            List.of(new HeldNamespace("b", "NoWave", "m")),
            Conditions.update(
                List.of(),
                List.of(new Conditions.Wanted(Conditions.READY, false, "Baking", "m")),
                2L,
                Instant.EPOCH)));
    String yaml = Serialization.asYaml(fleet);
    assertThat(yaml)
        .contains("operator: \"NotIn\"", "share: \"10%\"")
        .doesNotContain("percent", "bakeTime", "effective");
    var read = Serialization.unmarshal(yaml, ClusterMeshEnrollment.class);
    assertThat(read.getSpec()).isEqualTo(fleet.getSpec());
    assertThat(read.getStatus()).isEqualTo(fleet.getStatus());
    assertThat(new ClusterMeshEnrollment().effectiveSpec().effectiveWaves()).hasSize(1);
  }

  @Test
  void sharesTimesAndThresholdsAreReadAsWritten() {
    assertThat(new RolloutStep("10%", "1h30m").percent()).isEqualTo(10);
    assertThat(new RolloutStep("10%", "1h30m").bakeTime()).isEqualTo(Duration.ofMinutes(90));
    assertThat(new RolloutStep("100%", null).bakeTime()).isZero();
    assertThat(MeshEnrollmentSpec.DEFAULTS.effectiveRollout().steps())
        .containsExactly(new RolloutStep("100%", null));
    var threshold = new AbortThreshold("0.5%", 200);
    assertThat(threshold.isExceeded(100, 199)).isFalse();
    assertThat(threshold.isExceeded(1, 200)).isFalse();
    assertThat(threshold.isExceeded(2, 200)).isTrue();
    assertThat(new AbortThreshold("0%", null).isExceeded(1, 50)).isTrue();
    assertThat(new AbortThreshold("0%", null).isExceeded(0, 50)).isFalse();
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
