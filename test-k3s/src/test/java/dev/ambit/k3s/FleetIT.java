package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Namespaces that are taken into the mesh in waves, and out of it in order. */
@ExtendWith(ClusterExtension.class)
class FleetIT {
  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
  }

  private static void fleet(String name, String spec) {
    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: ClusterMeshEnrollment
        metadata:
          name: %s
          labels: {app.kubernetes.io/instance: argo}
          annotations: {argocd.argoproj.io/tracking-id: "fleet:ambit.dev/ClusterMeshEnrollment:/x"}
        spec: %s
        """
            .formatted(name, spec));
  }

  private static ClusterMeshEnrollmentStatus awaitFleet(
      String name, String what, Predicate<ClusterMeshEnrollmentStatus> test) {
    var fleet = ambit.client().resources(ClusterMeshEnrollment.class).withName(name);
    await("fleet " + name + " " + what)
        .atMost(Duration.ofSeconds(90))
        .pollInterval(Duration.ofMillis(300))
        .untilAsserted(
            () -> {
              var now = fleet.require();
              assertThat(now.getStatus()).isNotNull();
              assertThat(now.getStatus().observedGeneration())
                  .isEqualTo(now.getMetadata().getGeneration());
              assertThat(test.test(now.getStatus())).as("%s", now.getStatus()).isTrue();
            });
    return fleet.require().getStatus();
  }

  private static MeshEnrollment child(String namespace) {
    return Objects.requireNonNull(ambit.enrollment(namespace, "fleet"), namespace);
  }

  private static Instant created(String namespace) {
    return Instant.parse(child(namespace).getMetadata().getCreationTimestamp());
  }

  @Test
  void namespaces_join_in_waves_and_leave_in_order_and_what_users_wrote_wins() {
    for (String name : new String[] {"fleet-a", "fleet-b", "fleet-c", "fleet-own"}) {
      sample.namespace(name, Map.of("fleet", name.equals("fleet-a") ? "canary" : "yes"));
    }
    sample.client("fleet-a", "pod", ambit.node(0));
    sample.client("fleet-b", "pod", ambit.node(1));
    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: fleet-own, name: team}
        spec: {stage: None}
        """);
    String spec =
        """
        {namespaces: {matchExpressions: [{key: fleet, operator: Exists}]},
         waves: [{name: canary, namespaces: {matchLabels: {fleet: canary}}, bake: 5s}, {name: rest}],
         maxConcurrent: 1, template: {stage: L4}}
        """;
    fleet("platform", spec);
    awaitFleet(
        "platform",
        "bakes its first wave",
        s ->
            s.wave() != null
                && s.wave().name().equals("canary")
                && Objects.requireNonNull(s.namespaces()).done() > 0);
    ambit.killOperators();
    var done = awaitFleet("platform", "is ready", s -> isTrue(s.conditions(), Conditions.READY));
    var counts = Objects.requireNonNull(done.namespaces());
    assertThat(counts.done()).isEqualTo(3);
    assertThat(done.held())
        .singleElement()
        .satisfies(held -> assertThat(held.reason()).isEqualTo("OwnEnrollment"));
    assertThat(created("fleet-b")).isAfterOrEqualTo(created("fleet-a").plusSeconds(5));
    assertThat(pods(child("fleet-a")).captured()).isEqualTo(1);
    assertThat(pods(child("fleet-b")).captured()).isEqualTo(1);
    assertThat(ambit.enrollment("fleet-own", "fleet")).isNull();
    // Nothing that Argo CD would take for its own.
    var metadata = child("fleet-a").getMetadata();
    assertThat(metadata.getLabels()).doesNotContainKey("app.kubernetes.io/instance");
    assertThat(metadata.getAnnotations()).isNullOrEmpty();
    assertThat(metadata.getOwnerReferences())
        .singleElement()
        .satisfies(owner -> assertThat(owner.getKind()).isEqualTo("ClusterMeshEnrollment"));

    // A second fleet, which is younger, says that it has nothing to say.
    fleet("other", "{namespaces: {matchLabels: {fleet: canary}}, template: {stage: L7}}");
    awaitFleet("other", "reports the conflict", s -> isTrue(s.conditions(), "Conflict"));
    assertThat(child("fleet-a").getSpec().stage()).isEqualTo(Stage.L4);
    ambit.client().resources(ClusterMeshEnrollment.class).withName("other").delete();

    // A user's own takes over, and no pod leaves.
    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: fleet-b, name: team}
        spec: {stage: L4}
        """);
    await("the fleet's own is gone")
        .atMost(InstalledAmbit.SOON)
        .until(() -> ambit.enrollment("fleet-b", "fleet") == null);
    ambit.awaitEnrollment(
        "fleet-b", "team", "has the pod", e -> pods(e).captured() == 1 && pods(e).proven() == 1);

    ambit.client().resources(ClusterMeshEnrollment.class).withName("platform").delete();
    await("the fleet is gone")
        .atMost(Duration.ofSeconds(120))
        .until(
            () ->
                ambit.client().resources(ClusterMeshEnrollment.class).withName("platform").get()
                    == null);
    assertThat(ambit.enrollment("fleet-a", "fleet")).isNull();
    assertThat(ambit.captured("fleet-b", "pod")).isTrue();
    assertThat(PodNetwork.of(ambit.client(), sample.get("fleet-a", "pod")))
        .isEqualTo(PodNetwork.UNTOUCHED);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{waves: [{name: a}, {name: a}]}",
        "{waves: [{name: a, share: 0%}]}",
        "{waves: [{name: a, share: 10%, namespaces: {}}]}",
        "{waves: [{name: a, bake: soon}]}",
        "{waves: [{share: 10%}]}",
        "{maxConcurrent: 0}",
        "{maxFailed: -1}",
        "{namespaces: {matchExpressions: [{key: a, operator: In}]}}",
        "{namespaces: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
        "{namespaces: {matchExpressions: [{key: a, operator: Like, values: [b]}]}}",
        "{template: {stage: L5}}",
        "{template: {rollout: {steps: [{pods: 50%}]}}}",
      })
  void what_cannot_be_meant_is_refused(String spec) {
    assertThat(code(spec)).as(spec).isEqualTo(422);
  }

  private static int code(String spec) {
    try {
      fleet("refused", spec);
      return 0;
    } catch (KubernetesClientException e) {
      return e.getCode();
    }
  }
}
