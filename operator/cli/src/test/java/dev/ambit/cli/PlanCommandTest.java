package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

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
  void what_contradicts_is_said() {
    assertThat(ambit.run("plan", "kube-system").exits(ExitCode.FINDINGS).out())
        .contains("never captured");
  }
}
