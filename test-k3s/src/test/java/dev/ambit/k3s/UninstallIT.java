package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Ambit goes while namespaces are enrolled, and leaves what a cluster without it has. */
@ExtendWith(ClusterExtension.class)
class UninstallIT {
  private static final String L7 = "farewell";
  private static final String L4 = "farewell-by-label";
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  @Test
  void an_uninstall_with_namespaces_enrolled_costs_no_request_and_leaves_nothing(
      TwoNodeCluster cluster) {
    ClusterExtension.awaitOthersGone(cluster);
    var ambit = InstalledAmbit.on(cluster);
    var sample = new Sample(ambit.client());
    var enrollments = new Enrollments(ambit, sample);
    var host = "server." + L7 + ".svc.cluster.local";
    sample.namespace(L7, Map.of());
    sample.version(L7, "server", "v1", ambit.node(1));
    sample.loop(L7, "looper", ambit.node(0), host, 8080);
    sample.talk(L7, "talker", ambit.node(0), host, 9090);
    enrollments.apply(L7, "stage: L7, waypoint: {name: gate}");
    sample.namespace(L4, Map.of());
    sample.client(L4, "client", ambit.node(0));
    ambit.enroll(sample, L4, 1);
    awaitDone(ambit, Stage.L7);
    sample.assertGoesOn(L7, "looper");

    ambit.uninstallChart();
    try {
      sample.assertGoesOn(L7, "looper");
      sample.assertGoesOn(L7, "talker");
      nothingIsLeftInPods(ambit, sample);
      nothingIsLeftOfObjects(ambit);
      cluster.nodes().forEach(UninstallIT::nothingIsLeftOn);
    } finally {
      // Other tests need it.
      ambit.installChart();
    }

    // What users wrote holds again.
    awaitDone(ambit, Stage.L7);
    sample.assertGoesOn(L7, "looper");
    for (var namespace : List.of(L7, L4)) {
      ambit.client().namespaces().withName(namespace).withGracePeriod(0).delete();
    }
  }

  private static void awaitDone(InstalledAmbit ambit, Stage stage) {
    await(L7 + " is done with stage " + stage.text())
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .ignoreExceptions()
        .untilAsserted(
            () -> {
              var status =
                  Objects.requireNonNull(
                      Objects.requireNonNull(ambit.enrollment(L7, "default")).getStatus());
              assertThat(status.phase()).as("%s", status).isEqualTo(Phase.DONE);
              assertThat(status.stage()).isEqualTo(stage);
            });
  }

  private static void nothingIsLeftInPods(InstalledAmbit ambit, Sample sample) {
    // Those that have ended have no network that anything could be left in.
    for (var pod :
        ambit
            .client()
            .pods()
            .inAnyNamespace()
            .withField("status.phase", "Running")
            .list()
            .getItems()) {
      assertThat(Objects.requireNonNullElse(pod.getMetadata().getAnnotations(), Map.of()))
          .as(pod.getMetadata().getName())
          .doesNotContainKeys(WellKnown.REDIRECTION, WellKnown.DRAINING);
    }
    for (var pod : List.of(sample.get(L7, "server-v1"), sample.get(L4, "client"))) {
      assertThat(PodNetwork.of(ambit.client(), pod)).isEqualTo(PodNetwork.UNTOUCHED);
    }
  }

  private static void nothingIsLeftOfObjects(InstalledAmbit ambit) {
    var client = ambit.client();
    assertThat(client.resources(AmbientMesh.class).list().getItems()).isEmpty();
    assertThat(client.resources(Gateway.class).inNamespace(L7).list().getItems()).isEmpty();
    await("no waypoint's pods")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                client
                    .pods()
                    .inNamespace(L7)
                    .withLabel("gateway.networking.k8s.io/gateway-name")
                    .list()
                    .getItems()
                    .isEmpty());
    assertThat(
            client
                .configMaps()
                .inAnyNamespace()
                .withField("metadata.name", WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
                .list()
                .getItems())
        .isEmpty();
    // Users' own stay, with nothing in force.
    assertThat(client.resources(MeshEnrollment.class).inAnyNamespace().list().getItems())
        .allSatisfy(
            enrollment -> {
              assertThat(enrollment.isMirror()).isFalse();
              assertThat(enrollment.inForce()).isEmpty();
            });
    await("none of Ambit's own pods")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                client.pods().inNamespace(InstalledAmbit.ROOT).list().getItems().stream()
                    .allMatch(pod -> "Succeeded".equals(pod.getStatus().getPhase())));
  }

  private static void nothingIsLeftOn(ClusterNode node) {
    assertThat(node.shell("nft list tables | grep ambit || true").output()).isBlank();
    assertThat(
            node.shell(
                    "find /var/run/ambit /var/run/ztunnel /var/lib/ambit ! -type d 2>/dev/null"
                        + " || true")
                .output())
        .as("files and sockets on %s", node.name())
        .isBlank();
    assertThat(
            node.shell(
                    """
                    cd /var/lib/rancher/k3s
                    find data/cni -name ambit-cni
                    grep -rl ambit-cni agent/etc/cni/net.d || true
                    """)
                .output())
        .as("plugins and network configurations on %s", node.name())
        .isBlank();
  }
}
