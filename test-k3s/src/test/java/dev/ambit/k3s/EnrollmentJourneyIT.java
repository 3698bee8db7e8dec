package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.MODE;
import static dev.ambit.k3s.InstalledAmbit.REDIRECTION;
import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** From plain to encrypted by a label, and back. */
@ExtendWith(ClusterExtension.class)
class EnrollmentJourneyIT {
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
  void a_label_encrypts_the_traffic_and_its_removal_makes_it_plain_again() {
    sample.namespace("journey", Map.of());
    var server = sample.server("journey", "server", ambit.node(1), 8080);
    sample.client("journey", "client", ambit.node(0));
    sample.client("journey", "neighbour", ambit.node(1));

    try (var wire = Wire.of(ambit.cluster().nodes().get(1))) {
      // Before: plain.
      assertThat(sample.request("journey", "client", ip(server), 8080, "before-mesh").output())
          .contains("path=/before-mesh");
      await().atMost(InstalledAmbit.SOON).until(() -> wire.shows("before-mesh"));
      assertThat(wire.touches(15008, ip(server))).isFalse();

      // A connection that is open all along.
      sample.talk("journey", "talker", ambit.node(0), "server.journey.svc.cluster.local", 8080);
      // And new ones throughout.
      sample.loop("journey", "looper", ambit.node(0), ip(server), 8080);

      var enrolled = ambit.enroll(sample, "journey", 5);
      assertThat(pods(enrolled).total()).isEqualTo(5);

      // A connection that begins in the tunnel.
      sample.talk("journey", "tunnelled", ambit.node(0), ip(server), 8080);

      // Across the nodes, and on one node, by address and by Service.
      for (var client : new String[] {"client", "neighbour"}) {
        for (var address : new String[] {ip(server), "server.journey.svc.cluster.local"}) {
          var path = "in-mesh-" + client;
          var seen = sample.request("journey", client, address, 8080, path);
          assertThat(seen.output())
              .as("from %s to %s: %s", client, address, seen.error())
              .contains("path=/" + path)
              .contains("client=" + ip(sample.get("journey", client)));
        }
      }
      await()
          .atMost(InstalledAmbit.SOON)
          .until(
              () ->
                  wire.touches(15008, ip(sample.get("journey", "client")))
                      && wire.touches(15008, ip(sample.get("journey", "neighbour"))));
      assertThat(wire.shows("in-mesh")).isFalse();

      // Both identities, as both ztunnels saw them.
      for (int node : new int[] {0, 1}) {
        await()
            .atMost(InstalledAmbit.SOON)
            .untilAsserted(
                () ->
                    assertThat(
                            ambit.accessLog(
                                ambit.node(node),
                                "spiffe://cluster.local/ns/journey/sa/client",
                                "spiffe://cluster.local/ns/journey/sa/server",
                                ip(server)))
                        .isNotEmpty());
      }

      sample.label("journey", MODE, "");
      await("no pod marked as captured")
          .atMost(InstalledAmbit.SOON)
          .until(
              () ->
                  ambit.client().pods().inNamespace("journey").list().getItems().stream()
                      .noneMatch(p -> p.getMetadata().getAnnotations().containsKey(REDIRECTION)));
      // Open connections go on: one from before joining, and one that is in the tunnel.
      sample.assertGoesOn("journey", "talker");
      sample.assertGoesOn("journey", "tunnelled");
      sample.assertGoesOn("journey", "looper");

      assertThat(sample.request("journey", "client", ip(server), 8080, "after-mesh").output())
          .contains("path=/after-mesh");
      await().atMost(InstalledAmbit.SOON).until(() -> wire.shows("after-mesh"));
    }

    // With the last tunnelled connection ended, nothing is left behind.
    ambit.client().pods().inNamespace("journey").withName("tunnelled").delete();
    await("enrollment gone")
        .atMost(Duration.ofSeconds(90))
        .until(() -> ambit.enrollment("journey", "labels") == null);
    for (var pod : ambit.client().pods().inNamespace("journey").list().getItems()) {
      assertThat(pod.getMetadata().getAnnotations()).doesNotContainKey(REDIRECTION);
    }
    for (var pod : new String[] {"client", "server", "neighbour"}) {
      await("rules and listeners gone from " + pod)
          .atMost(Duration.ofSeconds(90))
          .pollInterval(Duration.ofSeconds(2))
          .untilAsserted(
              () ->
                  assertThat(PodNetwork.of(ambit.client(), sample.get("journey", pod)))
                      .isEqualTo(PodNetwork.UNTOUCHED));
    }
  }

  @Test
  void a_pod_made_later_is_captured_before_its_first_packet() {
    sample.namespace("later", Map.of(MODE, "ambient"));
    var server = sample.server("later", "server", ambit.node(1), 8080);
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {namespace: later, name: strict}
        spec: {mtls: {mode: STRICT}}
        """);
    sample.namespace("outside", Map.of());
    sample.client("outside", "client", ambit.node(0));
    await("strict mTLS in force")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !sample.request("outside", "client", ip(server), 8080, "plain").succeeded());

    // Its first and only act is a request, which strict mTLS would refuse if it were plain.
    sample.job("later", "first", ambit.node(0), "/bin/sample", "get", ip(server), "8080", "/first");
    await()
        .atMost(InstalledAmbit.SOON)
        .until(() -> !sample.phase("later", "first").matches("Pending|Running"));
    assertThat(sample.phase("later", "first"))
        .as(sample.log("later", "first"))
        .isEqualTo("Succeeded");
    assertThat(sample.log("later", "first")).contains("path=/first");
    // The kubelet's probes still pass.
    assertThat(
            sample
                .ready("later", "server")
                .getStatus()
                .getContainerStatuses()
                .getFirst()
                .getRestartCount())
        .isZero();
  }

  @Test
  void pods_outside_the_mesh_talk_with_it_throughout() {
    sample.namespace("plain", Map.of());
    var plainServer = sample.server("plain", "server", ambit.node(0), 8080);
    sample.client("plain", "client", ambit.node(0));
    sample.namespace("mesh", Map.of());
    var meshServer = sample.server("mesh", "server", ambit.node(1), 8080);
    sample.client("mesh", "client", ambit.node(1));
    sample.talk("plain", "talker", ambit.node(0), ip(meshServer), 8080);
    sample.talk("mesh", "talker", ambit.node(1), ip(plainServer), 8080);
    sample.loop("plain", "looper", ambit.node(0), ip(meshServer), 8080);
    sample.loop("mesh", "looper", ambit.node(1), ip(plainServer), 8080);

    ambit.enroll(sample, "mesh", 4);
    assertThat(sample.request("plain", "client", ip(meshServer), 8080, "x").output())
        .contains("client=" + ip(sample.get("plain", "client")));
    assertThat(sample.request("mesh", "client", ip(plainServer), 8080, "x").output())
        .contains("client=" + ip(sample.get("mesh", "client")));
    sample.label("mesh", MODE, "");
    await().atMost(Duration.ofSeconds(90)).until(() -> ambit.enrollment("mesh", "labels") == null);
    assertThat(sample.request("plain", "client", ip(meshServer), 8080, "x").succeeded()).isTrue();
    assertThat(sample.request("mesh", "client", ip(plainServer), 8080, "x").succeeded()).isTrue();
    for (var namespace : new String[] {"plain", "mesh"}) {
      sample.assertGoesOn(namespace, "talker");
      sample.assertGoesOn(namespace, "looper");
    }
  }

  @Test
  void what_is_not_captured_is_listed_with_its_reason() {
    sample.namespace("mixed", Map.of());
    sample.client("mixed", "member", ambit.node(0));
    sample.client("mixed", "host", ambit.node(0), "hostNetwork: true\n");
    sample.client("mixed", "out", ambit.node(1), "label istio.io/dataplane-mode=none\n");
    sample.client("mixed", "odd", ambit.node(1), "label istio.io/dataplane-mode=sidecar\n");
    var enrolled = ambit.enroll(sample, "mixed", 1);

    assertThat(pods(enrolled).total()).isEqualTo(4);
    assertThat(pods(enrolled).excluded()).isEqualTo(3);
    assertThat(enrolled.getStatus().excluded())
        .extracting(e -> e.pod() + " " + e.reason())
        .containsExactlyInAnyOrder("host HostNetwork", "out OptedOut", "odd UnknownDataplaneMode");
    for (var pod : new String[] {"out", "odd"}) {
      assertThat(PodNetwork.of(ambit.client(), sample.get("mixed", pod)))
          .isEqualTo(PodNetwork.UNTOUCHED);
    }

    sample.label("kube-system", MODE, "ambient");
    try {
      var system =
          ambit.awaitEnrollment(
              "kube-system",
              "labels",
              "says that the namespace is excluded",
              e ->
                  e.getStatus().excluded().stream()
                      .anyMatch(p -> p.reason().toString().equals("ExcludedNamespace")));
      assertThat(pods(system).captured()).isZero();
    } finally {
      sample.label("kube-system", MODE, "");
    }
  }

  @Test
  void a_users_own_enrollment_wins_over_the_label() {
    sample.namespace("own", Map.of(MODE, "ambient"));
    sample.client("own", "pod", ambit.node(0));
    ambit.awaitEnrollment(
        "own", "labels", "is captured", e -> isTrue(e.getStatus().conditions(), "Ready"));

    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: own, name: default}
        spec: {stage: None}
        """);
    await().atMost(Duration.ofSeconds(90)).until(() -> ambit.enrollment("own", "labels") == null);
    await().atMost(Duration.ofSeconds(90)).until(() -> !ambit.captured("own", "pod"));

    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: own, name: default}
        spec: {stage: L4}
        """);
    ambit.awaitEnrollment("own", "default", "is captured", e -> pods(e).captured() == 1);

    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: own, name: second}
        spec: {stage: None}
        """);
    ambit.awaitEnrollment(
        "own", "second", "is stalled", e -> isTrue(e.getStatus().conditions(), "Stalled"));
    assertThat(ambit.captured("own", "pod")).isTrue();
  }
}
