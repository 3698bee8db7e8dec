package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static dev.ambit.k3s.InstalledAmbit.pods;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.Conditions;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * What goes wrong in the middle of a transition: it ends in a place that the status states, and
 * meanwhile no request is lost and no open connection broken.
 */
@ExtendWith(ClusterExtension.class)
class EnrollmentFaultsIT {
  /** Of pods that are captured or freed while what they need is started again on a busy machine. */
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  private static final Map<String, String> OWN = Map.of("faults", "yes");

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static Enrollments enrollments;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    enrollments = new Enrollments(ambit, sample);
  }

  /** Their load would slow the tests that follow. */
  @AfterEach
  void end() {
    ambit.client().namespaces().withLabels(OWN).withGracePeriod(0).delete();
  }

  /** Connections that open and close, one that stays open as HTTP allows, one that never ends. */
  private record Load(String namespace, List<String> pods) {
    static Load of(String namespace) {
      var host = "server." + namespace + ".svc.cluster.local";
      sample.namespace(namespace, OWN);
      sample.version(namespace, "server", "v1", ambit.node(1));
      sample.version(namespace, "server", "v2", ambit.node(0));
      sample.loop(namespace, "looper", ambit.node(0), host, 8080);
      sample.keep(namespace, "keeper", ambit.node(1), host, 8080);
      sample.talk(namespace, "talker", ambit.node(0), host, 9090);
      return new Load(namespace, List.of("looper", "keeper", "talker"));
    }

    /** Of its pods, as long as they are there; those that have none yet are left out. */
    List<String> addresses() {
      return ambit.client().pods().inNamespace(namespace).list().getItems().stream()
          .map(pod -> pod.getStatus().getPodIP())
          .filter(Objects::nonNull)
          .toList();
    }

    void goesOn() {
      pods.forEach(pod -> sample.assertGoesOn(namespace, pod));
    }
  }

  private static MeshEnrollmentStatus status(String namespace) {
    return Objects.requireNonNull(
        Objects.requireNonNull(ambit.enrollment(namespace, "default")).getStatus());
  }

  private static void awaitStatus(
      String namespace, String what, Predicate<MeshEnrollmentStatus> test) {
    await(namespace + " " + what)
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(100))
        .ignoreExceptions()
        .untilAsserted(
            () -> {
              var now = status(namespace);
              assertThat(test.test(now)).as("%s", now).isTrue();
            });
  }

  private static void awaitDone(String namespace, Stage stage) {
    awaitStatus(
        namespace,
        "is done with stage " + stage.text(),
        status -> status.phase() == Phase.DONE && status.stage() == stage);
    assertThat(isTrue(status(namespace).conditions(), Conditions.READY)).isTrue();
  }

  private static void awaitInForce(String namespace, String what, Predicate<InForce> test) {
    awaitStatus(namespace, what, status -> status.inForce() != null && test.test(status.inForce()));
  }

  private static int proven(String namespace) {
    return pods(Objects.requireNonNull(ambit.enrollment(namespace, "default"))).proven();
  }

  private static void awaitOperators() {
    await("two operators")
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .until(() -> ambit.readyOperators() == 2);
  }

  private static boolean hasGateway(String namespace) {
    return !ambit
        .client()
        .resources(Gateway.class)
        .inNamespace(namespace)
        .list()
        .getItems()
        .isEmpty();
  }

  @Test
  void both_operators_lost_in_each_transition_cost_no_request() {
    var load = Load.of("widow");
    enrollments.apply(
        "widow", "stage: L4, rollout: {steps: [{pods: 40%, bake: 3s}, {pods: 100%}]}");
    awaitInForce("widow", "takes its first pods", inForce -> inForce.cut() > 0);
    ambit.killOperators();
    awaitDone("widow", Stage.L4);
    assertThat(proven("widow")).isEqualTo(5);
    load.goesOn();
    // In a tunnel from its first moment, and to its last.
    sample.talk("widow", "tunnelled", ambit.node(1), "server.widow.svc.cluster.local", 9090);

    enrollments.apply("widow", "stage: L7, waypoint: {name: gate}");
    awaitTold("widow");
    ambit.killOperators();
    awaitInForce("widow", "is bound", inForce -> "gate".equals(inForce.waypoint()));
    ambit.killOperators();
    awaitDone("widow", Stage.L7);
    load.goesOn();

    awaitOperators();
    enrollments.apply("widow", "stage: L4, waypoint: {name: gate}");
    awaitUnbound("widow");
    ambit.killOperators();
    awaitDone("widow", Stage.L4);
    assertThat(hasGateway("widow")).isFalse();
    load.goesOn();

    awaitOperators();
    enrollments.apply("widow", "stage: None");
    awaitInForce("widow", "lets its pods go", inForce -> inForce.cut() == 0);
    ambit.killOperators();
    enrollments.awaitOut("widow");
    load.goesOn();
    sample.assertGoesOn("widow", "tunnelled");
    ambit.client().pods().inNamespace("widow").withName("tunnelled").withGracePeriod(0).delete();
    awaitDone("widow", Stage.NONE);
    load.goesOn();
    awaitOperators();
  }

  @Test
  void agents_lost_while_pods_join_and_leave_cost_no_request() {
    var load = Load.of("limbs");
    enrollments.apply(
        "limbs", "stage: L4, rollout: {steps: [{pods: 40%, bake: 3s}, {pods: 100%}]}");
    awaitInForce("limbs", "takes its first pods", inForce -> inForce.cut() > 0);
    killAgents();
    awaitDone("limbs", Stage.L4);
    assertThat(proven("limbs")).isEqualTo(5);
    load.goesOn();

    enrollments.apply("limbs", "stage: None");
    awaitInForce("limbs", "lets its pods go", inForce -> inForce.cut() == 0);
    killAgents();
    awaitDone("limbs", Stage.NONE);
    load.goesOn();
  }

  private static void killAgents() {
    for (int node : new int[] {0, 1}) {
      ambit.client().resource(ambit.agent(ambit.node(node))).withGracePeriod(0).delete();
    }
  }

  @Test
  void a_ztunnel_lost_in_each_transition_holds_its_pods_and_they_go_on_afterwards() {
    var bystanders = Load.of("beside");
    sample.namespace("heart", OWN);
    var server = sample.server("heart", "server", ambit.node(1), 8080).getStatus().getPodIP();
    sample.client("heart", "client", ambit.node(0));
    enrollments.apply("heart", "stage: L4");
    awaitInForce("heart", "takes its pods", inForce -> inForce.cut() > 0);
    killClientsZtunnel();
    awaitDone("heart", Stage.L4);
    assertThat(proven("heart")).isEqualTo(2);
    assertThat(enrollments.redirected("heart")).isEqualTo(2);
    // Where the pods were proven before their ztunnel was lost, they are held until the next
    // serves.
    awaitServed(server);
    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      sample.request("heart", "client", server, 8080, "secret-marker").orThrow();
      await().atMost(InstalledAmbit.SOON).until(() -> wire.touches(15008, server));
      assertThat(wire.shows("secret-marker")).isFalse();
    }
    enrollments.apply("heart", "stage: L7, waypoint: {name: gate}");
    awaitTold("heart");
    killClientsZtunnel();
    awaitDone("heart", Stage.L7);
    awaitServed("server");

    enrollments.apply("heart", "stage: L4, waypoint: {name: gate}");
    awaitUnbound("heart");
    killClientsZtunnel();
    awaitDone("heart", Stage.L4);
    assertThat(hasGateway("heart")).isFalse();
    awaitServed("server");

    enrollments.apply("heart", "stage: None");
    awaitInForce("heart", "lets its pods go", inForce -> inForce.cut() == 0);
    killClientsZtunnel();
    awaitDone("heart", Stage.NONE);
    assertThat(enrollments.redirected("heart")).isZero();
    try (var wire = Wire.of(ambit.cluster().nodes().get(0))) {
      sample.request("heart", "client", server, 8080, "plain-marker").orThrow();
      await().atMost(InstalledAmbit.SOON).until(() -> wire.shows("plain-marker"));
    }
    // Pods outside the mesh have nothing to do with it.
    bystanders.goesOn();
  }

  private static void killClientsZtunnel() {
    ambit.client().resource(ambit.ztunnel(ambit.node(0))).withGracePeriod(0).delete();
  }

  private static void awaitServed(String server) {
    await("the next ztunnel serves the client")
        .atMost(InstalledAmbit.SOON)
        .until(() -> sample.request("heart", "client", server, 8080, "held").succeeded());
  }

  @Test
  void an_api_server_away_in_each_transition_delays_it_and_costs_no_request() throws Exception {
    var load = Load.of("silent");
    enrollments.apply(
        "silent", "stage: L4, rollout: {steps: [{pods: 40%, bake: 5s}, {pods: 100%}]}");
    awaitInForce("silent", "takes its first pods", inForce -> inForce.cut() > 0);
    apiServerAway();
    enrollments.awaitPhase("silent", Phase.BAKING);
    // The end of the bake time falls into the outage.
    apiServerAway();
    awaitDone("silent", Stage.L4);
    assertThat(proven("silent")).isEqualTo(5);
    load.goesOn();

    enrollments.apply("silent", "stage: L7, waypoint: {name: gate}");
    awaitTold("silent");
    apiServerAway();
    awaitDone("silent", Stage.L7);
    load.goesOn();

    enrollments.apply("silent", "stage: None, waypoint: {name: gate}");
    awaitUnbound("silent");
    apiServerAway();
    awaitDone("silent", Stage.NONE);
    assertThat(hasGateway("silent")).isFalse();
    assertThat(enrollments.redirected("silent")).isZero();
    load.goesOn();
  }

  private static void apiServerAway() throws InterruptedException {
    try (var outage = ambit.cluster().withoutApiServer()) {
      // Longer than the leader's lease.
      Thread.sleep(Duration.ofSeconds(20));
    }
  }

  private static void awaitTold(String namespace) {
    awaitInForce(
        namespace,
        "tells its waypoint",
        inForce -> "gate".equals(inForce.nextWaypoint()) || "gate".equals(inForce.waypoint()));
  }

  private static void awaitUnbound(String namespace) {
    awaitInForce(namespace, "is unbound", inForce -> inForce.waypoint() == null);
  }

  @Test
  void an_enrollment_edited_on_its_way_goes_where_the_edit_says() {
    var load = Load.of("edited");
    enrollments.apply(
        "edited", "stage: L4, rollout: {steps: [{pods: 40%, bake: 1h}, {pods: 100%}]}");
    var baking = enrollments.awaitPhase("edited", Phase.BAKING);
    assertThat(pods(baking).captured()).isEqualTo(2);
    // The steps that are left are no longer asked for, and more is.
    enrollments.apply(
        "edited", "stage: L7, waypoint: {name: gate}, rollout: {steps: [{pods: 100%}]}");
    awaitStatus("edited", "makes its waypoint", status -> status.phase() == Phase.BINDING_WAYPOINT);
    load.goesOn();
    enrollments.apply("edited", "stage: None, waypoint: {name: gate}");
    awaitDone("edited", Stage.NONE);
    assertThat(hasGateway("edited")).isFalse();
    assertThat(enrollments.redirected("edited")).isZero();
    load.goesOn();
  }

  @Test
  void a_rival_enrollment_waits_its_turn_and_then_begins_with_what_is_in_force() {
    var load = Load.of("rivals");
    enrollments.apply(
        "rivals", "stage: L4, rollout: {steps: [{pods: 40%, bake: 1h}, {pods: 100%}]}");
    enrollments.awaitPhase("rivals", Phase.BAKING);
    enrollments.apply("rivals", "younger", "stage: None");
    ambit.awaitEnrollment(
        "rivals", "younger", "is stalled", e -> isTrue(e.getStatus().conditions(), "Stalled"));
    assertThat(enrollments.redirected("rivals")).isEqualTo(2);
    assertThat(status("rivals").phase()).isEqualTo(Phase.BAKING);
    load.goesOn();

    enrollments.delete("rivals", "default");
    ambit.awaitEnrollment(
        "rivals",
        "younger",
        "has taken over",
        e -> e.getStatus().phase() == Phase.DONE && e.getStatus().stage() == Stage.NONE);
    assertThat(enrollments.redirected("rivals")).isZero();
    load.goesOn();
  }

  @Test
  void a_rollout_on_hold_keeps_what_it_has_until_it_is_told_otherwise() {
    var load = loadOfAnAborted("hold", "Hold");
    awaitStatus("hold", "is given up", status -> status.phase() == Phase.STALLED);
    var held = Objects.requireNonNull(ambit.enrollment("hold", "default"));
    assertThat(Enrollments.reason(held, Conditions.STALLED)).isEqualTo("RolloutAborted");
    assertThat(enrollments.redirected("hold")).isEqualTo(6);
    load.goesOn();

    enrollments.apply("hold", "stage: L4, rollout: {steps: [{pods: 100%}]}");
    awaitDone("hold", Stage.L4);
    load.goesOn();
  }

  @Test
  void operators_and_agents_lost_while_a_rollout_is_taken_back_leave_no_pod_captured() {
    var load = loadOfAnAborted("undone", "Rollback");
    awaitInForce("undone", "lets its pods go", inForce -> inForce.cut() == 0);
    killAgents();
    ambit.killOperators();
    enrollments.awaitOut("undone");
    awaitStatus("undone", "is given up", status -> status.phase() == Phase.STALLED);
    load.goesOn();
    awaitOperators();
  }

  /** Of a namespace whose rollout has just seen more connections fail than it may. */
  private static Load loadOfAnAborted(String namespace, String onAbort) {
    var load = Load.of(namespace);
    sample.client(namespace, "offender", ambit.node(0));
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: %1$s, name: not-the-offender}
        spec:
          action: DENY
          rules: [{from: [{source: {principals: [cluster.local/ns/%1$s/sa/offender]}}]}]
        """
            .formatted(namespace));
    enrollments.apply(
        namespace,
        """
        stage: L4, rollout: {steps: [{pods: 100%%, bake: 1h}],
        abortAbove: {failedConnections: 1%%, minimumConnections: 3}, onAbort: %s}"""
            .formatted(onAbort));
    enrollments.awaitPhase(namespace, Phase.BAKING);
    var host = "server." + namespace + ".svc.cluster.local";
    await("the rollout is given up")
        .atMost(PATIENCE)
        .until(
            () -> {
              for (int i = 0; i < 5; i++) {
                var unused = sample.request(namespace, "offender", host, 8080, "x");
              }
              return status(namespace).phase() != Phase.BAKING;
            });
    return load;
  }

  @Test
  void an_enrollment_deleted_at_l7_takes_its_waypoint_along_and_costs_no_request() {
    var load = Load.of("erased");
    enrollments.apply("erased", "stage: L7, waypoint: {name: gate}");
    awaitDone("erased", Stage.L7);
    load.goesOn();
    enrollments.delete("erased", "default");
    enrollments.awaitOut("erased");
    await("nothing of the waypoint is left")
        .atMost(PATIENCE)
        .until(
            () ->
                !hasGateway("erased")
                    && ambit
                        .client()
                        .pods()
                        .inNamespace("erased")
                        .withLabel("gateway.networking.k8s.io/gateway-name")
                        .list()
                        .getItems()
                        .isEmpty());
    load.goesOn();
  }

  @Test
  void a_namespace_deleted_while_its_waypoint_is_made_leaves_nothing_behind() {
    var load = Load.of("gone-midway");
    enrollments.apply("gone-midway", "stage: L7, waypoint: {name: gate}");
    await("its Gateway").atMost(PATIENCE).until(() -> hasGateway("gone-midway"));
    load.goesOn();
    var addresses = load.addresses();
    ambit.client().namespaces().withName("gone-midway").withGracePeriod(0).delete();
    await("namespace gone")
        .atMost(PATIENCE)
        .until(() -> ambit.client().namespaces().withName("gone-midway").get() == null);
    for (var node : ambit.cluster().nodes()) {
      await("no rules for pods that are gone on " + node.name())
          .atMost(InstalledAmbit.SOON)
          .until(() -> addresses.stream().noneMatch(hostRules(node)::contains));
    }
    // Another one of the name begins anew.
    sample.namespace("gone-midway", OWN);
    sample.client("gone-midway", "pod", ambit.node(0));
    assertThat(enrollments.redirected("gone-midway")).isZero();
    ambit.enroll(sample, "gone-midway", 1);
  }

  /** Nothing where the table is not there. */
  private static String hostRules(ClusterNode node) {
    return node.shell(
            """
            tables=$(nft list tables) || exit
            ! echo "$tables" | grep -qx 'table inet ambit_host' || nft list table inet ambit_host
            """)
        .orThrow();
  }

  @Test
  void rules_that_something_else_flushed_are_found_put_back_and_counted() {
    var bystanders = Load.of("unflushed");
    ambit.enroll(sample, "unflushed", 5);
    sample.namespace("flushed", OWN);
    var server = sample.server("flushed", "server", ambit.node(1), 8080);
    var client = sample.client("flushed", "client", ambit.node(0));
    enrollments.apply("flushed", "stage: L4");
    awaitDone("flushed", Stage.L4);
    var before = PodNetwork.of(ambit.client(), client);
    var node = ambit.cluster().nodes().get(0);
    double rules = drift(node, "rules");
    double hosts = drift(node, "host_rules");

    node.shell("nsenter --net=" + namespaceOf(node, client) + " nft flush ruleset").orThrow();
    node.shell("nft delete table inet ambit_host").orThrow();
    await("found and counted")
        .atMost(Duration.ofMinutes(1))
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              assertThat(drift(node, "rules")).isGreaterThan(rules);
              assertThat(drift(node, "host_rules")).isGreaterThan(hosts);
            });
    assertThat(PodNetwork.of(ambit.client(), client)).isEqualTo(before);
    assertThat(hostRules(node)).contains(client.getStatus().getPodIP());
    await("told on the pod")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                ambit.client().v1().events().inNamespace("flushed").list().getItems().stream()
                    .anyMatch(event -> "RedirectionRepaired".equals(event.getReason())));
    var address = server.getStatus().getPodIP();
    try (var wire = Wire.of(node)) {
      sample.request("flushed", "client", address, 8080, "secret-marker").orThrow();
      await().atMost(InstalledAmbit.SOON).until(() -> wire.touches(15008, address));
      assertThat(wire.shows("secret-marker")).isFalse();
    }
    awaitDone("flushed", Stage.L4);
    bystanders.goesOn();
  }

  /** Where the node's container runtime has the pod's network namespace. */
  private static String namespaceOf(ClusterNode node, Pod pod) {
    return node.shell(
            """
            for each in /run/netns/*; do
              nsenter --net=$each ip -o address | grep -qF ' %s/' && echo $each && exit 0
            done
            exit 1
            """
                .formatted(pod.getStatus().getPodIP()))
        .orThrow()
        .strip();
  }

  private static double drift(ClusterNode node, String what) {
    return node.exec("curl", "-sf", "http://127.0.0.1:15019/metrics")
        .orThrow()
        .lines()
        .filter(line -> line.startsWith("ambit_agent_drift_total{"))
        .filter(line -> line.contains("what=\"" + what + "\""))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }
}
