package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What happens to a waypoint while requests pass it all the time, none of which may fail. */
@ExtendWith(ClusterExtension.class)
class WaypointLifeIT {
  private static final String NAMESPACE = "waypoint-life";
  private static final String SERVER = "server.waypoint-life.svc.cluster.local";
  private static final List<String> LOAD = List.of("looper", "keeper", "neighbour");

  /** A round of the metrics server, rounds of the autoscaler, and a new instance. */
  private static final Duration SCALING = Duration.ofMinutes(4);

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static Waypoint waypoint;

  @BeforeAll
  static void load(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    sample.namespace(NAMESPACE, Map.of());
    sample.version(NAMESPACE, "server", "v1", ambit.node(1));
    sample.version(NAMESPACE, "server", "v2", ambit.node(0));
    sample.client(NAMESPACE, "client", ambit.node(0));
    ambit.enroll(sample, NAMESPACE, 3);
    waypoint = Waypoint.create(ambit, sample, NAMESPACE, "waypoint");
    sample.label(NAMESPACE, Waypoint.USE, "waypoint");
    waypoint.awaitPassed("client", SERVER, true);
    sample.loop(NAMESPACE, "looper", ambit.node(0), SERVER, 8080);
    sample.keep(NAMESPACE, "keeper", ambit.node(0), SERVER, 8080);
    sample.keep(NAMESPACE, "neighbour", ambit.node(1), SERVER, 8080);
  }

  /** Other tests look at what is on the wire, and this load would be there too. */
  @AfterAll
  static void end() {
    ambit.client().namespaces().withName(NAMESPACE).withGracePeriod(0).delete();
    await("the namespace gone")
        .atMost(Duration.ofMinutes(3))
        .until(() -> ambit.client().namespaces().withName(NAMESPACE).get() == null);
  }

  @AfterEach
  void no_request_has_failed() {
    LOAD.forEach(pod -> sample.assertGoesOn(NAMESPACE, pod));
  }

  @Test
  void a_downgrade_to_an_earlier_envoy_and_the_upgrade_lose_no_request() throws Exception {
    var image = images().getFirst();
    var earlier = earlierImage();
    ambit.cluster().load(earlier);
    image(earlier);
    try {
      awaitImage(earlier);
    } finally {
      image(image);
    }
    awaitImage(image);
  }

  private static String earlierImage() throws IOException, InterruptedException {
    var making =
        new ProcessBuilder(Checkout.root().resolve("test-k3s/bin/earlier-waypoint").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    var reference = making.inputReader().readLine();
    assertThat(making.waitFor()).as("the status that earlier-waypoint ended with").isZero();
    return reference;
  }

  private static void image(String reference) {
    ambit.patchMesh("{\"spec\":{\"waypoint\":{\"image\":\"%s\"}}}".formatted(reference));
  }

  private static List<String> images() {
    return waypoint.pods().stream()
        .map(pod -> pod.getSpec().getContainers().getFirst().getImage())
        .toList();
  }

  private void awaitImage(String reference) {
    await("all instances run " + reference)
        .atMost(Waypoint.PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .until(() -> images().stream().allMatch(reference::equals));
    waypoint.awaitProgrammed();
    no_request_has_failed();
  }

  @Test
  void more_instances_and_fewer_lose_no_request() {
    var before = waypoint.pods().size();
    parameters(Map.of("deployment", "replicas: 3"));
    waypoint.awaitInstances(3);
    no_request_has_failed();
    parameters(Map.of("deployment", "replicas: 1"));
    waypoint.awaitInstances(1);
    no_request_has_failed();
    waypoint.apply("Same", "");
    waypoint.awaitInstances(before);
  }

  @Test
  void instances_follow_the_load_and_no_request_is_lost() throws IOException {
    try (var _ = MetricsServer.on(ambit.cluster(), NAMESPACE)) {
      followLoad();
    }
  }

  private void followLoad() {
    var before = waypoint.pods().size();
    // The load of all these tests is well below 40 % of one, that of busy clients well above 88 %.
    parameters(
        Map.of(
            "deployment",
            "template: {spec: {containers: [{name: istio-proxy, resources: {requests: {cpu: 100m}}}]}}",
            "horizontalPodAutoscaler",
            "minReplicas: 1, maxReplicas: 3, behavior: {scaleDown: {stabilizationWindowSeconds: 0}}"));
    awaitScaledTo(1);
    var busy = List.of("busy-1", "busy-2", "busy-3", "busy-4");
    busy.forEach(
        name ->
            sample.job(
                NAMESPACE,
                name,
                ambit.node(0),
                "/bin/sample",
                "keep",
                SERVER,
                "8080",
                "/busy",
                "1"));
    await("more instances")
        .atMost(SCALING)
        .pollInterval(Duration.ofSeconds(1))
        .until(() -> waypoint.pods().stream().filter(Readiness::isPodReady).count() > 1);
    no_request_has_failed();
    busy.forEach(
        name ->
            ambit
                .client()
                .pods()
                .inNamespace(NAMESPACE)
                .withName(name)
                .withGracePeriod(0)
                .delete());
    awaitScaledTo(1);
    no_request_has_failed();
    waypoint.apply("Same", "");
    waypoint.awaitInstances(before);
  }

  private static void awaitScaledTo(int count) {
    var autoscaler =
        ambit
            .client()
            .autoscaling()
            .v2()
            .horizontalPodAutoscalers()
            .inNamespace(NAMESPACE)
            .withName("waypoint");
    await("the autoscaler has made it " + count)
        .atMost(SCALING)
        .pollInterval(Duration.ofSeconds(1))
        .untilAsserted(
            () ->
                assertThat(waypoint.pods())
                    .as("with the autoscaler at %s", autoscaler.require().getStatus())
                    .hasSize(count)
                    .allMatch(Readiness::isPodReady));
  }

  @Test
  void a_route_that_keeps_changing_loses_no_request() {
    for (int round = 0; round < 6; round++) {
      int second = round % 2 == 0 ? 100 : 0;
      sample.apply(
          """
          apiVersion: gateway.networking.k8s.io/v1
          kind: HTTPRoute
          metadata: {namespace: waypoint-life, name: server}
          spec:
            parentRefs: [{group: "", kind: Service, name: server}]
            rules:
            - backendRefs:
              - {name: server-v1, port: 8080, weight: %d}
              - {name: server-v2, port: 8080, weight: %d}
          """
              .formatted(100 - second, second));
      var host = "host=server-v" + (second == 100 ? 2 : 1);
      await("requests reach " + host)
          .atMost(InstalledAmbit.SOON)
          .pollInterval(Duration.ofMillis(200))
          .until(
              () ->
                  sample
                      .request(NAMESPACE, "client", SERVER, 8080, "round")
                      .output()
                      .contains(host));
    }
    ambit
        .client()
        .genericKubernetesResources("gateway.networking.k8s.io/v1", "HTTPRoute")
        .inNamespace(NAMESPACE)
        .withName("server")
        .delete();
  }

  @Test
  void the_operators_restart_loses_no_request_and_changes_still_arrive() {
    ambit
        .client()
        .pods()
        .inNamespace(InstalledAmbit.ROOT)
        .withLabel("app.kubernetes.io/name", "ambit-operator")
        .delete();
    sample.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: waypoint-life, name: header}
        spec:
          parentRefs: [{group: "", kind: Service, name: server}]
          rules:
          - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: restarted, value: "yes"}]}}]
            backendRefs: [{name: server, port: 8080}]
        """);
    await("the route in effect")
        .atMost(Waypoint.PATIENCE)
        .until(
            () ->
                sample
                    .request(NAMESPACE, "client", SERVER, 8080, "after")
                    .output()
                    .contains("header=restarted: yes"));
    ambit
        .client()
        .genericKubernetesResources("gateway.networking.k8s.io/v1", "HTTPRoute")
        .inNamespace(NAMESPACE)
        .withName("header")
        .delete();
  }

  /** First the one that leads and writes status, then the other, which leads by then. */
  @Test
  void each_of_two_operators_may_go_while_routes_change_and_no_request_is_lost() {
    for (int round = 1; round <= 2; round++) {
      var leader = leader();
      ambit
          .client()
          .pods()
          .inNamespace(InstalledAmbit.ROOT)
          .withName(leader)
          .withGracePeriod(0)
          .delete();
      var value = "round-" + round;
      sample.apply(
          """
          apiVersion: gateway.networking.k8s.io/v1
          kind: HTTPRoute
          metadata: {namespace: waypoint-life, name: survivor}
          spec:
            parentRefs: [{group: "", kind: Service, name: server}]
            rules:
            - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: survivor, value: %s}]}}]
              backendRefs: [{name: server, port: 8080}]
          """
              .formatted(value));
      // The other replica serves all the while, whether it leads yet or not.
      await("the route in effect")
          .atMost(InstalledAmbit.SOON)
          .pollInterval(Duration.ofMillis(200))
          .until(
              () ->
                  sample
                      .request(NAMESPACE, "client", SERVER, 8080, value)
                      .output()
                      .contains("header=survivor: " + value));
      await("another leader, which says on the route that it is enforced")
          .atMost(Waypoint.PATIENCE)
          .pollInterval(Duration.ofMillis(500))
          .until(() -> !leader().equals(leader) && isEnforced("survivor"));
      no_request_has_failed();
      await("two operators")
          .atMost(Waypoint.PATIENCE)
          .pollInterval(Duration.ofMillis(500))
          .until(() -> ambit.readyOperators() == 2);
    }
    ambit
        .client()
        .genericKubernetesResources("gateway.networking.k8s.io/v1", "HTTPRoute")
        .inNamespace(NAMESPACE)
        .withName("survivor")
        .delete();
  }

  private static String leader() {
    var lease =
        ambit
            .client()
            .leases()
            .inNamespace(InstalledAmbit.ROOT)
            .withName("ambit-operator")
            .require();
    var holder = lease.getSpec().getHolderIdentity();
    return holder == null || holder.isEmpty() ? "nobody" : holder;
  }

  /** As the generation that there is now. */
  private static boolean isEnforced(String route) {
    var object =
        ambit.client().resources(HTTPRoute.class).inNamespace(NAMESPACE).withName(route).require();
    return object.getStatus() != null
        && object.getStatus().getParents().stream()
            .flatMap(parent -> parent.getConditions().stream())
            .anyMatch(
                condition ->
                    condition.getType().equals("ambit.dev/Enforced")
                        && condition.getStatus().equals("True")
                        && object
                            .getMetadata()
                            .getGeneration()
                            .equals(condition.getObservedGeneration()));
  }

  /** Gives the waypoint objects with those lines in their specs. */
  private static void parameters(Map<String, String> specs) {
    sample.apply(
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {namespace: waypoint-life, name: waypoint-parameters}
        data:
        """
            + specs.entrySet().stream()
                .map(spec -> "  %s: \"{spec: {%s}}\"%n".formatted(spec.getKey(), spec.getValue()))
                .collect(Collectors.joining()));
    waypoint.apply(
        "Same",
        "infrastructure: {parametersRef: {group: \"\", kind: ConfigMap, name: waypoint-parameters}}");
  }
}
