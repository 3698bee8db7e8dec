package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import dev.ambit.api.Finding;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Enrollments that are checked, planned, taken in steps, proven, and given up. */
@ExtendWith(ClusterExtension.class)
class EnrollmentRolloutIT {
  private static InstalledAmbit ambit;
  private static Sample sample;
  private static Enrollments enrollments;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    enrollments = new Enrollments(ambit, sample);
  }

  @Test
  void pods_are_taken_in_steps_and_leave_again_and_no_connection_notices() {
    sample.namespace("steps", Map.of());
    var server = sample.server("steps", "server", ambit.node(1), 8080);
    var address = server.getStatus().getPodIP();
    sample.client("steps", "client-a", ambit.node(0));
    sample.talk("steps", "talker", ambit.node(0), address, 8080);
    sample.loop("steps", "looper", ambit.node(0), address, 8080);

    enrollments.apply(
        "steps", "stage: L4, rollout: {steps: [{pods: 50%, bake: 1h}, {pods: 100%}]}");
    var baking = enrollments.awaitPhase("steps", Phase.BAKING);
    assertThat(pods(baking).captured()).isEqualTo(2);
    assertThat(pods(baking).proven()).isEqualTo(2);
    assertThat(pods(baking).held()).isEqualTo(2);
    assertThat(baking.getStatus().stage()).isEqualTo(Stage.NONE);
    assertThat(enrollments.redirected("steps")).isEqualTo(2);
    sample.assertGoesOn("steps", "talker");
    sample.assertGoesOn("steps", "looper");

    // Paused, it does not even begin what would come at once.
    enrollments.apply(
        "steps",
        "stage: L4, paused: true, rollout: {steps: [{pods: 50%, bake: 1s}, {pods: 100%}]}");
    var paused = enrollments.awaitPhase("steps", Phase.PAUSED);
    assertThat(pods(paused).captured()).isEqualTo(2);

    enrollments.apply(
        "steps",
        "stage: L4, paused: false, rollout: {steps: [{pods: 50%, bake: 1s}, {pods: 100%}]}");
    var done = enrollments.awaitPhase("steps", Phase.DONE);
    assertThat(done.getStatus().stage()).isEqualTo(Stage.L4);
    assertThat(pods(done).proven()).isEqualTo(4);
    assertThat(isTrue(done.getStatus().conditions(), Conditions.PROVEN)).isTrue();
    assertThat(isTrue(done.getStatus().conditions(), Conditions.CAPTURED)).isTrue();
    sample.assertGoesOn("steps", "talker");
    sample.assertGoesOn("steps", "looper");

    enrollments.apply("steps", "stage: None");
    enrollments.awaitOut("steps");
    sample.assertGoesOn("steps", "talker");
    sample.assertGoesOn("steps", "looper");
  }

  @Test
  void from_none_to_l4_to_l7_and_back_by_steps_no_connection_notices() {
    var host = "server.ladder.svc.cluster.local";
    sample.namespace("ladder", Map.of());
    sample.version("ladder", "server", "v1", ambit.node(1));
    sample.version("ladder", "server", "v2", ambit.node(0));
    sample.client("ladder", "client", ambit.node(0));
    sample.loop("ladder", "looper", ambit.node(0), host, 8080);
    sample.talk("ladder", "talker", ambit.node(1), host, 9090);
    var waypoint = new Waypoint(ambit, sample, "ladder", "gate");

    enrollments.apply(
        "ladder",
        "stage: L7, waypoint: {name: gate}, rollout: {steps: [{pods: 40%, bake: 1s}, {pods: 100%}]}");
    await("stage L7")
        .atMost(Waypoint.PATIENCE)
        .pollInterval(Duration.ofSeconds(1))
        .untilAsserted(
            () -> {
              var status =
                  Objects.requireNonNull(ambit.enrollment("ladder", "default")).getStatus();
              assertThat(status).isNotNull();
              assertThat(status.phase()).as("%s", status).isEqualTo(Phase.DONE);
              assertThat(status.stage()).isEqualTo(Stage.L7);
              assertThat(isTrue(status.conditions(), Conditions.WAYPOINT_READY)).isTrue();
            });
    var gateway =
        ambit.client().resources(Gateway.class).inNamespace("ladder").withName("gate").require();
    assertThat(gateway.getMetadata().getOwnerReferences())
        .extracting(OwnerReference::getKind)
        .containsExactly("MeshEnrollment");
    waypoint.awaitPassed("client", host, true);
    sample.assertGoesOn("ladder", "looper");
    sample.assertGoesOn("ladder", "talker");

    enrollments.apply("ladder", "stage: L4, waypoint: {name: gate}");
    await("the Gateway is gone")
        .atMost(Waypoint.PATIENCE)
        .until(
            () ->
                ambit.client().resources(Gateway.class).inNamespace("ladder").withName("gate").get()
                    == null);
    var l4 = enrollments.awaitPhase("ladder", Phase.DONE);
    assertThat(l4.getStatus().stage()).isEqualTo(Stage.L4);
    waypoint.awaitPassed("client", host, false);
    sample.assertGoesOn("ladder", "looper");
    sample.assertGoesOn("ladder", "talker");

    enrollments.apply("ladder", "stage: None");
    enrollments.awaitOut("ladder");
    sample.assertGoesOn("ladder", "looper");
    sample.assertGoesOn("ladder", "talker");
  }

  @Test
  void a_dry_run_says_what_would_be_and_touches_nothing() {
    sample.namespace("dry", Map.of());
    sample.client("dry", "one", ambit.node(0));
    sample.client("dry", "two", ambit.node(1));
    // Its container declares no port.
    sample.server("dry", "tunneller", ambit.node(1), 15008);
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: dry, name: get-only}
        spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}
        """);
    enrollments.apply("dry", "stage: L4, dryRun: true");
    var planned = enrollments.awaitPhase("dry", Phase.PLANNED);
    var status = planned.getStatus();
    assertThat(isTrue(status.conditions(), Conditions.READY)).isTrue();
    assertThat(isTrue(status.conditions(), Conditions.PREFLIGHT_PASSED)).isFalse();
    assertThat(status.findings())
        .extracting(Finding::reason, Finding::object)
        .contains(
            tuple("PolicyDeniesAtL4", "AuthorizationPolicy dry/get-only"),
            tuple("PortCollision", "Pod dry/tunneller"));
    var plan = Objects.requireNonNull(status.plan());
    assertThat(plan.join()).isEqualTo(3);
    var connections = Objects.requireNonNull(plan.connections());
    assertThat(connections.outside()).isNotNull();
    assertThat(connections.unknown()).isEmpty();
    assertThat(plan.policies()).hasSize(1);
    assertThat(status.inForce()).isNull();
    assertThat(enrollments.redirected("dry")).isZero();
  }

  @Test
  void what_would_break_holds_an_enrollment_until_it_is_mended() {
    sample.namespace("held", Map.of());
    sample.client("held", "pod", ambit.node(0));
    sample.apply(
        """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {namespace: held, name: only-8080}
        spec:
          podSelector: {}
          ingress: [{ports: [{port: 8080}]}]
        """);
    enrollments.apply("held", "stage: L4");
    var held = enrollments.awaitPhase("held", Phase.PREFLIGHT);
    assertThat(Enrollments.reason(held, Conditions.PREFLIGHT_PASSED))
        .isEqualTo("NetworkPolicyBlocksHbone");
    assertThat(isTrue(held.getStatus().conditions(), Conditions.STALLED)).isTrue();
    assertThat(enrollments.redirected("held")).isZero();

    ambit
        .client()
        .resources(NetworkPolicy.class)
        .inNamespace("held")
        .withName("only-8080")
        .delete();
    var done = enrollments.awaitPhase("held", Phase.DONE);
    assertThat(isTrue(done.getStatus().conditions(), Conditions.PREFLIGHT_PASSED)).isTrue();
    assertThat(enrollments.redirected("held")).isEqualTo(1);
  }

  @Test
  void failing_connections_roll_a_rollout_back() {
    sample.namespace("abort", Map.of());
    var server = sample.server("abort", "server", ambit.node(1), 8080);
    sample.client("abort", "client", ambit.node(0));
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: abort, name: nobody}
        spec: {action: DENY, rules: [{}]}
        """);
    // Nobody enforces it yet.
    var address = server.getStatus().getPodIP();
    assertThat(sample.request("abort", "client", address, 8080, "x").succeeded()).isTrue();

    enrollments.apply(
        "abort",
        """
        stage: L4, rollout: {steps: [{pods: 100%, bake: 1h}],
        abortAbove: {failedConnections: 10%, minimumConnections: 3}}""");
    enrollments.awaitPhase("abort", Phase.BAKING);
    await("the rollout is given up")
        .atMost(Duration.ofSeconds(120))
        .until(
            () -> {
              var unused = sample.request("abort", "client", address, 8080, "x");
              var phase =
                  Objects.requireNonNull(ambit.enrollment("abort", "default")).getStatus().phase();
              return phase == Phase.ROLLING_BACK || phase == Phase.STALLED;
            });
    var aborted = enrollments.awaitPhase("abort", Phase.STALLED);
    assertThat(Enrollments.reason(aborted, Conditions.STALLED)).isEqualTo("RolloutAborted");
    assertThat(enrollments.redirected("abort")).isZero();
    await("traffic passes as before")
        .atMost(InstalledAmbit.SOON)
        .until(() -> sample.request("abort", "client", address, 8080, "x").succeeded());
  }

  @Test
  void a_captured_pod_is_proven_by_a_handshake() {
    sample.namespace("proof", Map.of());
    sample.client("proof", "pod", ambit.node(0));
    enrollments.apply("proof", "stage: L4");
    var done = enrollments.awaitPhase("proof", Phase.DONE);
    assertThat(pods(done).proven()).isEqualTo(1);
    assertThat(Enrollments.reason(done, Conditions.PROVEN)).isEqualTo("HandshakesSucceed");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "rollout: {steps: []}",
        "rollout: {steps: [{pods: 50%}]}",
        "rollout: {steps: [{pods: 50%}, {pods: 10%}, {pods: 100%}]}",
        "rollout: {steps: [{pods: 0%}, {pods: 100%}]}",
        "rollout: {steps: [{pods: ten}, {pods: 100%}]}",
        "rollout: {steps: [{bake: 1m}, {pods: 100%}]}",
        "rollout: {steps: [{pods: 100%, bake: soon}]}",
        "rollout: {steps: [{pods: 100%, bake: 200h}]}",
        "rollout: {abortAbove: {failedConnections: 101%}}",
        "rollout: {abortAbove: {minimumConnections: 0}}",
        "rollout: {onAbort: Shrug}",
        "stage: L5",
        "waypoint: {name: Gate}",
        "waypoint: {for: everything}",
      })
  void what_cannot_be_meant_is_refused(String spec) {
    assertThat(code(spec)).as(spec).isEqualTo(422);
  }

  private static int code(String spec) {
    try {
      enrollments.apply("default", spec);
      return 0;
    } catch (KubernetesClientException e) {
      return e.getCode();
    }
  }
}
