package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PlanCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit
        .server
        .put(CommandLineFixture.resource("mesh.yaml"))
        .know("/apis/networking.k8s.io/v1/networkpolicies")
        .know("/api/v1/services")
        .know("/api/v1/configmaps")
        .know("/apis/security.istio.io/v1/authorizationpolicies")
        .know("/apis/security.istio.io/v1/peerauthentications");
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  @Test
  void joining_names_pods_policies_and_waypoints() {
    ambit.server.put(
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: plain, labels: {istio.io/use-waypoint: waypoint}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: web, namespace: plain}
        spec: {nodeName: node-1}
        status: {phase: Running}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: host, namespace: plain}
        spec: {hostNetwork: true, nodeName: node-1}
        status: {phase: Running}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: over, namespace: plain}
        status: {phase: Succeeded}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: by-method, namespace: plain}
        spec: {action: DENY, rules: [{to: [{operation: {methods: [DELETE]}}]}]}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: by-caller, namespace: plain}
        spec: {action: DENY, rules: [{from: [{source: {namespaces: [bank]}}]}]}
        ---
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: strict, namespace: plain}
        spec: {mtls: {mode: STRICT}}
        """);
    ambit.run("plan", "plain").exits(ExitCode.OK).printed("plan.txt");
    assertThat(ambit.server.writes).isEmpty();
  }

  @Test
  void leaving_names_the_pods_that_are_in_the_mesh() {
    ambit.server.put(
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        """);
    assertThat(ambit.run("plan", "shop", "--stage", "none").exits(ExitCode.OK).out())
        .contains("from stage L4 to None: 0 pods would join, 1 leave, 2 stay as they are.")
        .contains("would leave: cart");
  }

  @Test
  void open_connections_of_pods_in_the_mesh_are_counted_by_their_ztunnels() {
    ambit.server.put(
        """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop}
        """);
    assertThat(ambit.run("plan", "shop", "--stage", "none").exits(ExitCode.OK).out())
        .contains("open connections are not counted where no ztunnel answers: node node-1");
    ambit.adminAnswers.put(
        "ambit-ztunnel-a/connections",
        """
        {"namespaces": [{"namespace": "bank", "tunnelled": 9, "plain": 9},
                        {"namespace": "shop", "tunnelled": 3, "plain": 1}]}
        """);
    assertThat(ambit.run("plan", "shop", "--stage", "none").exits(ExitCode.OK).out())
        .contains("open connections of captured pods: 3 in tunnels, 1 plain")
        .doesNotContain("not counted");
    assertThat(ambit.run("plan", "shop", "-o", "json").out())
        .containsPattern("\"tunnelled\" ?: ?3")
        .containsPattern("\"plain\" ?: ?1");
  }

  @Test
  void whom_strict_mtls_would_refuse_is_told_where_it_is_asked_for() {
    ambit.adminAnswers.put(
        "ambit-ztunnel-a/plaintext",
        """
        {"instance": "one", "namespaces": [{"namespace": "shop", "connections": 4, "pods": [],
          "senders": [{"address": "10.42.0.9", "kind": "pod", "namespace": "bank",
            "workload": "teller", "destination": "pod shop/cart", "port": 8080, "protocol": "tcp",
            "connections": 4, "open": 1, "bytes": 12, "agoMillis": 1000}]}]}
        """);
    assertThat(ambit.run("plan", "shop").out()).doesNotContain("StrictRefusesClient");
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: shop}
        spec: {stage: L4, mtls: Strict}
        """);
    assertThat(ambit.run("plan", "shop").out())
        .containsPattern("warning +StrictRefusesClient +Pod bank/teller")
        .contains("plaintext to port 8080 (tcp)");
  }

  @Test
  void what_would_hold_the_enrollment_is_an_error_and_steps_are_counted() {
    ambit.server.put(
        """
        apiVersion: ambit.dev/v1alpha1
        kind: MeshEnrollment
        metadata: {name: default, namespace: plain}
        spec: {stage: None, rollout: {steps: [{pods: 50%}, {pods: 100%}]}}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: a, namespace: plain}
        spec: {nodeName: node-9}
        status: {phase: Running}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: b, namespace: plain}
        spec: {nodeName: node-1}
        status: {phase: Running}
        """);
    assertThat(ambit.run("plan", "plain").exits(ExitCode.FINDINGS).out())
        .contains("in the mesh after each step: 1, 2")
        .containsPattern("error +ZtunnelNotReady +Node node-9");
  }

  @Test
  void stage_l7_names_the_waypoint_that_it_would_make() {
    ambit.server.know("/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
    assertThat(ambit.run("plan", "plain", "--stage", "L7").out())
        .contains("from stage None to L7")
        .containsPattern("plain/waypoint +stage L7 +the operator makes it")
        .containsPattern("waypoint, at the fewest +2 +200m +256Mi")
        .containsPattern("waypoint, at the most +10 +1 +1280Mi");
    assertThat(ambit.run("plan", "shop", "--stage", "L7").out())
        .containsPattern("shop/waypoint +stage L7 +it is used as it is");
  }

  @Test
  void before_there_is_a_mesh_its_absence_is_no_error() {
    ambit.server.remove("/apis/ambit.dev/v1alpha1/ambientmeshes/default");
    ambit.server.put(
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: web, namespace: plain}
        spec: {nodeName: node-9}
        status: {phase: Running}
        """);
    var result = ambit.run("plan", "plain").exits(ExitCode.OK);
    assertThat(result.out())
        .contains("1 pods would join")
        .doesNotContain("NotReady", "It would not happen");
    assertThat(result.err()).contains("there is no AmbientMesh yet");
  }

  @Test
  void manifests_in_files_are_checked_without_a_cluster() throws Exception {
    Path folder = Files.createDirectory(ambit.folder.resolve("manifests"));
    Files.writeString(
        folder.resolve("app.yaml"),
        """
        # An application.
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web}
        spec:
          template:
            metadata: {labels: {app: web}}
            spec: {containers: [{name: web, ports: [{containerPort: 15008}]}]}
        ---
        apiVersion: batch/v1
        kind: CronJob
        metadata: {name: nightly, namespace: new}
        spec: {jobTemplate: {spec: {template: {spec: {hostNetwork: true, containers: [{name: n}]}}}}}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: elsewhere, namespace: other}
        spec: {template: {spec: {containers: [{name: x}]}}}
        """);
    Files.writeString(
        folder.resolve("policy.yml"),
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: by-path}
        spec: {action: ALLOW, rules: [{to: [{operation: {paths: [/x]}}]}]}
        """);
    ambit.server.close();
    var result = ambit.plain("plan", "new", "-f", "manifests").exits(ExitCode.FINDINGS);
    assertThat(result.out())
        .contains("1 pods would join")
        .contains("would join: web")
        .containsPattern("PortCollision +Pod new/web")
        .containsPattern("error +PolicyDeniesAtL4 +AuthorizationPolicy new/by-path")
        .containsPattern("nightly +HostNetwork")
        .doesNotContain("elsewhere");
    ambit.plain("plan", "new", "-f", "absent.yaml").exits(ExitCode.USAGE);
  }

  @Test
  void what_contradicts_is_said() {
    assertThat(ambit.run("plan", "kube-system").exits(ExitCode.FINDINGS).out())
        .contains("never captured");
  }
}
