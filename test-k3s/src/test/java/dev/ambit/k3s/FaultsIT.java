package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.MODE;
import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Bad input and failing parts: each is said where the user looks, nothing goes plain, and the state
 * heals by itself.
 */
@ExtendWith(ClusterExtension.class)
class FaultsIT {
  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
  }

  private static String ip(Pod pod) {
    return pod.getStatus().getPodIP();
  }

  @Test
  void an_unknown_dataplane_mode_is_stalled_with_an_event_and_captures_nothing() {
    sample.namespace("unknown", Map.of(MODE, "sidecar"));
    sample.client("unknown", "pod", ambit.node(0));
    var enrollment =
        ambit.awaitEnrollment(
            "unknown", "labels", "is stalled", e -> isTrue(e.getStatus().conditions(), "Stalled"));
    assertThat(enrollment.getStatus().conditions())
        .anySatisfy(
            c -> {
              assertThat(c.getType()).isEqualTo("Stalled");
              assertThat(c.getReason()).isEqualTo("UnknownDataplaneMode");
              assertThat(c.getMessage()).contains("sidecar");
            });
    await("event on the namespace")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                ambit.client().v1().events().inAnyNamespace().list().getItems().stream()
                    .anyMatch(
                        e ->
                            "unknown".equals(e.getInvolvedObject().getName())
                                && "UnknownDataplaneMode".equals(e.getReason())));
    assertThat(PodNetwork.of(ambit.client(), sample.get("unknown", "pod")))
        .isEqualTo(PodNetwork.UNTOUCHED);
  }

  @Test
  void a_second_mesh_and_a_bad_trust_domain_are_refused_with_the_reason() {
    assertThatThrownBy(
            () ->
                sample.apply(
                    """
                    apiVersion: ambit.dev/v1alpha1
                    kind: AmbientMesh
                    metadata: {name: second}
                    spec: {}
                    """))
        .isInstanceOf(KubernetesClientException.class)
        .hasMessageContaining("default");
    assertThatThrownBy(
            () ->
                ambit
                    .client()
                    .resources(AmbientMesh.class)
                    .withName("default")
                    .patch(
                        io.fabric8.kubernetes.client.dsl.base.PatchContext.of(
                            io.fabric8.kubernetes.client.dsl.base.PatchType.JSON_MERGE),
                        "{\"spec\":{\"trustDomain\":\"Not A Domain\"}}"))
        .isInstanceOf(KubernetesClientException.class)
        .hasMessageContaining("trust domain");
  }

  @Test
  void a_namespace_deleted_while_it_joins_leaves_nothing_behind() {
    sample.namespace("gone", Map.of());
    for (int i = 0; i < 4; i++) {
      sample.client("gone", "pod-" + i, ambit.node(i % 2));
    }
    sample.label("gone", MODE, "ambient");
    ambit.client().namespaces().withName("gone").delete();
    await("namespace gone")
        .atMost(Duration.ofSeconds(120))
        .until(() -> ambit.client().namespaces().withName("gone").get() == null);
    sample.namespace("gone", Map.of());
    sample.client("gone", "pod", ambit.node(0));
    ambit.enroll(sample, "gone", 1);
  }

  @Test
  void while_the_ztunnel_is_away_nothing_goes_plain_and_afterwards_all_is_well() {
    sample.namespace("killed", Map.of());
    var server = sample.server("killed", "server", ambit.node(1), 8080);
    sample.client("killed", "client", ambit.node(0));
    ambit.enroll(sample, "killed", 2);
    sample.request("killed", "client", ip(server), 8080, "x").orThrow();

    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      var killed = ambit.ztunnel(ambit.node(0));
      ambit.client().resource(killed).withGracePeriod(0).delete();
      int failed = 0;
      var end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
      while (System.nanoTime() < end) {
        if (sample.request("killed", "client", ip(server), 8080, "secret-marker").succeeded()) {
          if (ambit.client().resource(killed).get() == null
              || !ambit
                  .ztunnel(ambit.node(0))
                  .getMetadata()
                  .getUid()
                  .equals(killed.getMetadata().getUid())) {
            break;
          }
        } else {
          failed++;
        }
      }
      await("requests succeed again")
          .atMost(InstalledAmbit.SOON)
          .until(
              () ->
                  sample
                      .request("killed", "client", ip(server), 8080, "secret-marker")
                      .succeeded());
      assertThat(wire.shows("secret-marker"))
          .as("in plain, while %d requests failed", failed)
          .isFalse();
    }
  }

  @Test
  void a_ztunnel_that_is_replaced_hands_over_and_costs_no_request() {
    sample.namespace("replaced", Map.of());
    var server = sample.server("replaced", "server", ambit.node(1), 8080);
    ambit.enroll(sample, "replaced", 1);
    sample.loop("replaced", "looper", ambit.node(0), ip(server), 8080);
    ambit.awaitEnrollment(
        "replaced", "labels", "has two pods captured", e -> pods(e).captured() == 2);

    assertThat(ambit.replaceZtunnels())
        .as("ztunnels of one node that are ready together")
        .isEqualTo(2);
    sample.assertGoesOn("replaced", "looper");
  }

  @Test
  void a_pod_that_terminates_is_announced_by_its_ztunnel() {
    sample.namespace("ending", Map.of());
    var server = sample.server("ending", "server", ambit.node(1), 8080);
    sample.client("ending", "client", ambit.node(0));
    ambit.enroll(sample, "ending", 2);
    await("a request goes through")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(() -> sample.request("ending", "client", ip(server), 8080, "x").orThrow());
    ambit.client().resource(server).delete();
    await("the ztunnel tells the pod's peers")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                !ambit
                    .accessLog(
                        ambit.node(1), "pod terminates", "namespace=\"ending\"", "pod=\"server\"")
                    .isEmpty());
  }

  @Test
  void a_restarted_agent_loses_no_capture() {
    sample.namespace("agent", Map.of());
    var server = sample.server("agent", "server", ambit.node(1), 8080);
    sample.client("agent", "client", ambit.node(0));
    ambit.enroll(sample, "agent", 2);
    var old = ambit.agent(ambit.node(0));
    ambit.client().resource(old).delete();
    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      for (int i = 0; i < 10; i++) {
        assertThat(sample.request("agent", "client", ip(server), 8080, "secret-marker").succeeded())
            .as("request %d while the agent restarts", i)
            .isTrue();
      }
      await("new agent ready")
          .atMost(Duration.ofSeconds(120))
          .ignoreExceptions()
          .until(
              () -> {
                var now = ambit.agent(ambit.node(0));
                return !now.getMetadata().getUid().equals(old.getMetadata().getUid())
                    && Readiness.isPodReady(now);
              });
      assertThat(sample.request("agent", "client", ip(server), 8080, "secret-marker").succeeded())
          .isTrue();
      assertThat(wire.shows("secret-marker")).isFalse();
    }
    sample.client("agent", "newcomer", ambit.node(0));
    ambit.awaitEnrollment(
        "agent", "labels", "has three pods captured", e -> pods(e).captured() == 3);
  }

  @Test
  void a_node_that_restarts_has_its_pods_back_in_the_mesh_and_they_send_nothing_plain() {
    sample.namespace("restarted", Map.of());
    var server = sample.server("restarted", "server", ambit.node(0), 8080);
    ambit.enroll(sample, "restarted", 1);
    sample.caller("restarted", "caller", ambit.node(1), ip(server), 8080, "secret-marker");
    awaitProven("restarted", 2);
    awaitAnswers("restarted", "caller", 0);
    int starts = restarts("restarted", "caller");

    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      ambit.cluster().nodes().get(1).restart();
      awaitAnswers("restarted", "caller", starts + 1);
      assertThat(wire.touches(15008, ip(server))).isTrue();
      assertThat(wire.shows("secret-marker")).isFalse();
    }
    awaitProven("restarted", 2);
  }

  /** Waits for an answer to what a pod asks since its last start. */
  private static void awaitAnswers(String namespace, String name, int restarts) {
    await(name + " is answered")
        .atMost(Duration.ofMinutes(5))
        .ignoreExceptionsInstanceOf(KubernetesClientException.class)
        .until(
            () ->
                restarts(namespace, name) >= restarts
                    && sample.log(namespace, name).contains("request 1 on connection"));
  }

  private static int restarts(String namespace, String name) {
    return sample
        .get(namespace, name)
        .getStatus()
        .getContainerStatuses()
        .getFirst()
        .getRestartCount();
  }

  private static void awaitProven(String namespace, int count) {
    ambit.awaitEnrollment(
        namespace,
        "labels",
        "has %d pods proven".formatted(count),
        e -> isTrue(e.getStatus().conditions(), "Ready") && pods(e).proven() == count);
  }

  @Test
  void an_api_server_away_for_a_minute_interrupts_no_traffic() throws Exception {
    sample.namespace("away", Map.of());
    var server = sample.server("away", "server", ambit.node(1), 8080);
    sample.talk("away", "talker", ambit.node(0), ip(server), 8080);
    ambit.enroll(sample, "away", 2);
    sample.loop("away", "looper", ambit.node(0), ip(server), 8080);

    try (var outage = ambit.cluster().withoutApiServer()) {
      // What is tested is the length of the outage itself.
      Thread.sleep(Duration.ofSeconds(60));
    }

    await("API server back")
        .atMost(Duration.ofSeconds(120))
        .ignoreExceptions()
        .until(() -> !sample.phase("away", "talker").isEmpty());
    sample.assertGoesOn("away", "talker");
    sample.assertGoesOn("away", "looper");

    // Changes are taken up again.
    await("a pod can be made again")
        .atMost(InstalledAmbit.SOON)
        .ignoreExceptions()
        .until(() -> sample.client("away", "newcomer", ambit.node(1)) != null);
    ambit.awaitEnrollment(
        "away", "labels", "has the newcomer captured", e -> pods(e).captured() == 4);
  }
}
