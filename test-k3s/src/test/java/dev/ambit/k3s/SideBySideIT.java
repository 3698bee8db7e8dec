package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import dev.ambit.api.ExcludedPod;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Another mesh in the same cluster: Ambit takes what is its own, and says what it left alone. */
@ExtendWith(ClusterExtension.class)
class SideBySideIT {
  private static final String REVISION = "istio.io/rev";

  private static InstalledAmbit ambit;
  private static AmbitCommand command;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    command = new AmbitCommand(cluster);
    sample = new Sample(ambit.client());
  }

  private static void answers(String namespace, String from, String address) {
    answers(namespace, from, address, 8080);
  }

  private static void answers(String namespace, String from, String address, int port) {
    await(from + " is answered by " + address)
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(sample.request(namespace, from, address, port, "x").succeeded())
                    .isTrue());
  }

  @Test
  void pods_with_a_sidecar_stay_outside_and_are_talked_to() {
    sample.namespace("sidecars", Map.of());
    var server = sample.server("sidecars", "server", ambit.node(1), 8080);
    sample.client("sidecars", "client", ambit.node(0));
    // As an injector leaves it.
    sample.apply(
        """
        apiVersion: v1
        kind: Pod
        metadata:
          namespace: sidecars
          name: injected
          labels: {app: injected, security.istio.io/tlsMode: istio}
          annotations: {sidecar.istio.io/status: '{"containers": ["istio-proxy"]}'}
        spec:
          nodeName: %s
          terminationGracePeriodSeconds: 1
          containers:
          - name: sample
            image: %s
            imagePullPolicy: Never
            args: [serve, "8080"]
            readinessProbe: {httpGet: {port: 8080, path: /ready}, periodSeconds: 1}
        """
            .formatted(ambit.node(0), Sample.IMAGE));
    var injected = sample.ready("sidecars", "injected");

    var enrolled = ambit.enroll(sample, "sidecars", 2);

    assertThat(enrolled.getStatus().excluded())
        .extracting(ExcludedPod::pod, ExcludedPod::reason)
        .containsExactly(tuple("injected", "SidecarInjected"));
    assertThat(ambit.captured("sidecars", "injected")).isFalse();
    answers("sidecars", "client", injected.getStatus().getPodIP());
    answers("sidecars", "injected", server.getStatus().getPodIP());
    sample.label("sidecars", InstalledAmbit.MODE, "");
  }

  @Test
  void pods_that_speak_hbone_themselves_are_left_alone_and_known_by_their_certificates() {
    sample.namespace("speakers", Map.of());
    var server = sample.server("speakers", "server", ambit.node(1), 8080);
    sample.client("speakers", "client", ambit.node(0));
    var speaker = new HbonePod(ambit, sample, "speakers", "speaker");
    var pod = speaker.start(ambit.node(1), "client", server);
    var enrolled = ambit.enroll(sample, "speakers", 2);
    assertThat(enrolled.getStatus().excluded())
        .extracting(ExcludedPod::pod)
        .containsExactly("speaker");
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {namespace: speakers, name: strict}
        spec: {mtls: {mode: STRICT}}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: speakers, name: server}
        spec:
          selector: {matchLabels: {app: server}}
          rules: [{from: [{source: {principals: [cluster.local/ns/speakers/sa/speaker]}}]}]
        """);
    await("only the speaker may call the server")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                !sample
                    .request("speakers", "client", server.getStatus().getPodIP(), 8080, "x")
                    .succeeded());

    var address = pod.getStatus().getPodIP();
    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      answers("speakers", "client", address);
      sample.request("speakers", "client", address, 8080, "secret-marker").orThrow();
      await("the tunnel on the wire")
          .atMost(InstalledAmbit.SOON)
          .until(() -> wire.touches(15008, address));
      assertThat(wire.touches(8080, address)).isFalse();
      assertThat(wire.shows("secret-marker")).isFalse();
    }
    answers("speakers", "speaker", "127.0.0.1", HbonePod.OUTBOUND);
    await("the server's ztunnel knows who called")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !ambit.accessLog(ambit.node(1), speaker.identity(), "sa/server").isEmpty());
    assertThat(PodNetwork.of(ambit.client(), pod).lines())
        .as("nothing but its own listener")
        .containsExactly("listener 15008");
  }

  @Test
  void a_namespace_of_another_control_plane_is_left_alone_until_it_is_handed_over() {
    sample.namespace("theirs", Map.of(InstalledAmbit.MODE, "ambient", REVISION, "istio-1-30"));
    sample.client("theirs", "pod", ambit.node(0));

    assertThat(command.run("explain", "theirs/pod").output())
        .contains("The pod is left out")
        .contains("other revision           here");
    assertThat(command.run("check").output())
        .contains("Left to another control plane by istio.io/rev: theirs (istio-1-30)");
    assertThat(ambit.captured("theirs", "pod")).isFalse();
    assertThat(ambit.enrollment("theirs", "labels")).isNull();

    sample.apply(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {namespace: theirs, name: default}
        spec: {stage: L4}
        """);
    var stalled =
        ambit.awaitEnrollment(
            "theirs",
            "default",
            "is stalled",
            e -> InstalledAmbit.isTrue(e.getStatus().conditions(), Conditions.STALLED));
    assertThat(Conditions.find(stalled.getStatus().conditions(), Conditions.STALLED))
        .hasValueSatisfying(
            condition -> assertThat(condition.getReason()).isEqualTo("OtherRevision"));
    assertThat(ambit.captured("theirs", "pod")).isFalse();

    sample.label("theirs", REVISION, "");
    var done =
        ambit.awaitEnrollment(
            "theirs",
            "default",
            "is ready",
            e -> InstalledAmbit.isTrue(e.getStatus().conditions(), Conditions.READY));
    assertThat(pods(done).captured()).isEqualTo(1);
    assertThat(ambit.captured("theirs", "pod")).isTrue();
  }
}
