package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.MODE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** From plain to L4, to L7 and all the way back, with no request lost. */
@ExtendWith(ClusterExtension.class)
class WaypointJourneyIT {
  private static final String NAMESPACE = "layers";
  private static final String SERVER = "server.layers.svc.cluster.local";

  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
  }

  @Test
  void from_none_to_l4_to_l7_and_back_no_request_fails_and_open_connections_go_on() {
    sample.namespace(NAMESPACE, Map.of());
    sample.version(NAMESPACE, "server", "v1", ambit.node(1));
    sample.version(NAMESPACE, "server", "v2", ambit.node(0));
    sample.client(NAMESPACE, "client", ambit.node(0));

    // Connections that open and close, one that stays open as HTTP allows, and one that must never
    // end.
    sample.loop(NAMESPACE, "looper", ambit.node(0), SERVER, 8080);
    sample.keep(NAMESPACE, "keeper", ambit.node(1), SERVER, 8080);
    sample.talk(NAMESPACE, "talker", ambit.node(0), SERVER, 9090);
    var load = List.of("looper", "keeper", "talker");

    ambit.enroll(sample, NAMESPACE, 6);
    goOn(load);
    sample.loop(NAMESPACE, "looper-l4", ambit.node(1), SERVER, 8080);
    sample.keep(NAMESPACE, "keeper-l4", ambit.node(0), SERVER, 8080);
    sample.talk(NAMESPACE, "talker-l4", ambit.node(1), SERVER, 9090);
    var inMesh = List.of("looper-l4", "keeper-l4", "talker-l4");

    var waypoint = Waypoint.create(ambit, sample, NAMESPACE, "waypoint");
    sample.label(NAMESPACE, Waypoint.USE, "waypoint");
    waypoint.awaitPassed("client", SERVER, true);
    goOn(load);
    goOn(inMesh);
    sample.keep(NAMESPACE, "keeper-l7", ambit.node(0), SERVER, 8080);

    // It is L7: what a request says decides where it goes.
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: layers, name: server}
        spec:
          parentRefs: [{group: "", kind: Service, name: server}]
          rules:
          - matches: [{path: {value: /second}}]
            backendRefs: [{name: server-v2, port: 8080}]
          - backendRefs: [{name: server-v1, port: 8080}]
        """);
    await("paths decide")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                request("second/page").contains("host=server-v2")
                    && request("other").contains("host=server-v1"));
    goOn(load);
    goOn(inMesh);
    ambit
        .client()
        .genericKubernetesResources("gateway.networking.k8s.io/v1", "HTTPRoute")
        .inNamespace(NAMESPACE)
        .withName("server")
        .delete();

    sample.label(NAMESPACE, Waypoint.USE, "");
    waypoint.awaitPassed("client", SERVER, false);
    goOn(load);
    goOn(inMesh);
    // The waypoint's removal asks what is still open to end, and the keeper comes back past it.
    waypoint.delete();
    await("the waypoint's pods gone")
        .atMost(Waypoint.PATIENCE)
        .until(() -> waypoint.pods().isEmpty());
    goOn(load);
    goOn(inMesh);
    goOn(List.of("keeper-l7"));
    assertThat(sample.log(NAMESPACE, "keeper-l7")).contains("on connection 2");

    sample.label(NAMESPACE, MODE, "");
    await("no pod marked as captured")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                ambit.client().pods().inNamespace(NAMESPACE).list().getItems().stream()
                    .noneMatch(
                        pod ->
                            pod.getMetadata()
                                .getAnnotations()
                                .containsKey(InstalledAmbit.REDIRECTION)));
    goOn(load);
    goOn(inMesh);
    assertThat(request("plain")).contains("path=/plain");
    ambit.client().namespaces().withName(NAMESPACE).withGracePeriod(0).delete();
    await("the namespace gone")
        .atMost(Duration.ofMinutes(3))
        .until(() -> ambit.client().namespaces().withName(NAMESPACE).get() == null);
  }

  private static String request(String path) {
    return sample.request(NAMESPACE, "client", SERVER, 8080, path).output();
  }

  private static void goOn(List<String> pods) {
    pods.forEach(pod -> sample.assertGoesOn(NAMESPACE, pod));
  }
}
