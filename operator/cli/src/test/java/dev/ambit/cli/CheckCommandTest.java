package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.cli.output.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CheckCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void cluster() {
    ambit
        .server
        .put(CommandLineFixture.resource("cluster.yaml"))
        .know("/apis/apps/v1/daemonsets")
        .know("/apis/apps/v1/deployments");
  }

  private void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.put(CommandLineFixture.resource("installed.yaml"));
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  @Test
  void a_cluster_with_ambit_in_order_has_no_findings() {
    install();
    ambit.run("check").exits(ExitCode.OK).printed("check.txt");
  }

  @Test
  void a_cluster_can_be_checked_before_ambit_is_installed() {
    ambit.run("check", "--pre").exits(ExitCode.OK).printed("check-pre.txt");
    assertThat(ambit.run("check").exits(ExitCode.FINDINGS).out())
        .contains("Ambit is not installed")
        .contains("helm install ambit");
  }

  @Test
  void what_cannot_carry_ambit_is_an_error_with_a_remedy() throws Exception {
    ambit.server.text("/version", "{\"gitVersion\": \"v1.27.1\"}");
    ambit.server.put(
        """
        apiVersion: v1
        kind: Node
        metadata: {name: old}
        status:
          nodeInfo: {operatingSystem: linux, kernelVersion: 4.19.0, containerRuntimeVersion: docker://20.10, architecture: s390x}
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: win}
        status: {nodeInfo: {operatingSystem: windows}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: ambit-system, labels: {pod-security.kubernetes.io/enforce: restricted}}
        ---
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: cilium, namespace: kube-system}
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: cilium-config, namespace: kube-system}
        data: {kube-proxy-replacement: "true"}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: gateways.gateway.networking.k8s.io, annotations: {gateway.networking.k8s.io/bundle-version: v1.2.0}}
        """);
    var result = ambit.run("check", "--pre").exits(ExitCode.FINDINGS);
    assertThat(result.out())
        .contains("Kubernetes v1.27.1 is too old")
        .contains("its kernel 4.19.0")
        .contains("docker://20.10")
        .contains("no images for s390x")
        .contains("win runs windows")
        .contains("Pod Security level restricted")
        .contains("cni.exclusive=false")
        .contains("socketLB.hostNamespaceOnly=true")
        .contains("v1.2.0, too old for waypoints");
    var json = Json.parse(ambit.run("check", "--pre", "-o", "json").out());
    assertThat(json.at("/checks/0/outcome").asText()).isEqualTo("ERROR");
    assertThat(json.at("/checks/0/remedy").asText()).contains("Upgrade");
  }

  @Test
  void other_meshes_are_told_of() {
    install();
    ambit.server.put(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}
        ---
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: ztunnel, namespace: istio-system}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: sidecars, labels: {istio-injection: enabled}}
        """);
    assertThat(ambit.run("check").exits(ExitCode.OK).out())
        .contains("Istio's control plane runs (Deployment istio-system/istiod)")
        .contains("Istio's ambient mode runs (DaemonSet istio-system/ztunnel)")
        .contains("Sidecars are injected in namespaces sidecars");
    ambit.run("check", "--strict").exits(ExitCode.FINDINGS);
  }

  @Test
  void parts_of_ambit_that_are_not_ready_are_errors() {
    install();
    ambit.server.put(
        """
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: ambit-ztunnel, namespace: ambit-system}
        status: {desiredNumberScheduled: 2, numberReady: 1, updatedNumberScheduled: 2}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: ambit-operator, namespace: ambit-system}
        spec: {replicas: 2}
        status: {readyReplicas: 0}
        """);
    ambit.clock = () -> java.time.Instant.parse("2036-11-20T00:00:00Z");
    assertThat(ambit.run("check").exits(ExitCode.FINDINGS).out())
        .contains("ambit-ztunnel: 1 of 2 ready")
        .contains("No replica of the operator is ready")
        .containsPattern("warning +Mesh +The certificate authority expires on 2036-11-26");
  }

  @Test
  void what_the_caller_may_not_read_or_do_is_said() {
    install();
    ambit.server.refuse("/api/v1/nodes", 403);
    ambit.server.allowed =
        review -> !review.at("/resourceAttributes/subresource").asText().equals("portforward");
    assertThat(ambit.run("check").exits(ExitCode.OK).out())
        .contains("You may not read nodes")
        .contains("You may not create pods/portforward");
    ambit.server.allowed = _ -> false;
    assertThat(ambit.run("check", "--pre").exits(ExitCode.FINDINGS).out())
        .contains("You may not create clusterroles.rbac.authorization.k8s.io");
  }
}
