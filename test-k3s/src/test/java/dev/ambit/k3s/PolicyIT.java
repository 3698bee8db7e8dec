package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What authorization policies and mTLS modes let through. */
@ExtendWith(ClusterExtension.class)
class PolicyIT {
  private static final String API = "security.istio.io/v1";

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static String server;

  @BeforeAll
  static void enroll(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    sample.namespace("policy", Map.of());
    sample.namespace("other", Map.of());
    sample.namespace("unmeshed", Map.of());
    server = sample.server("policy", "server", ambit.node(1), 8080, 9090).getStatus().getPodIP();
    sample.client("policy", "friend", ambit.node(0));
    sample.client("policy", "stranger", ambit.node(1));
    sample.client("other", "visitor", ambit.node(0));
    sample.client("unmeshed", "plain", ambit.node(0));
    ambit.enroll(sample, "policy", 3);
    ambit.enroll(sample, "other", 1);
  }

  @AfterEach
  void lift() {
    for (var kind : List.of("AuthorizationPolicy", "PeerAuthentication")) {
      ambit.client().genericKubernetesResources(API, kind).inNamespace("policy").delete();
    }
    awaitAllowed("policy", "friend", 8080);
    awaitAllowed("policy", "stranger", 8080);
    awaitAllowed("other", "visitor", 8080);
    awaitAllowed("unmeshed", "plain", 8080);
    awaitAllowed("policy", "friend", 9090);
  }

  private static CommandResult request(String namespace, String client, int port) {
    return sample.request(namespace, client, server, port, "x");
  }

  private static void awaitAllowed(String namespace, String client, int port) {
    await(namespace + "/" + client + " allowed to port " + port)
        .atMost(InstalledAmbit.SOON)
        .until(() -> request(namespace, client, port).succeeded());
  }

  private static void awaitDenied(String namespace, String client, int port) {
    await(namespace + "/" + client + " denied to port " + port)
        .atMost(InstalledAmbit.SOON)
        .until(() -> !request(namespace, client, port).succeeded());
  }

  private static void policy(String name, String action, String rule) {
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: policy, name: %s}
        spec:
          action: %s
          rules: [%s]
        """
            .formatted(name, action, rule));
  }

  private static GenericKubernetesResource read(String name) {
    return ambit
        .client()
        .genericKubernetesResources(API, "AuthorizationPolicy")
        .inNamespace("policy")
        .withName(name)
        .require();
  }

  @Test
  void an_allow_policy_by_principal_lets_only_that_caller_in() {
    policy(
        "friends",
        "ALLOW",
        "{from: [{source: {principals: [cluster.local/ns/policy/sa/friend]}}]}");
    awaitDenied("policy", "stranger", 8080);
    awaitDenied("other", "visitor", 8080);
    awaitDenied("unmeshed", "plain", 8080);
    awaitAllowed("policy", "friend", 8080);
    assertThat(
            ambit.accessLog(
                ambit.node(1), "spiffe://cluster.local/ns/policy/sa/stranger", "policy/friends"))
        .as("the server's ztunnel says which policy refused whom, or that none allowed")
        .satisfiesAnyOf(
            lines -> assertThat(lines).isNotEmpty(),
            lines ->
                assertThat(ambit.accessLog(ambit.node(1), "ns/policy/sa/stranger", "denied"))
                    .isNotEmpty());
  }

  @Test
  void a_deny_policy_by_namespace_refuses_that_namespace_only() {
    policy("visitors", "DENY", "{from: [{source: {namespaces: [other]}}]}");
    awaitDenied("other", "visitor", 8080);
    awaitAllowed("policy", "friend", 8080);
    awaitAllowed("unmeshed", "plain", 8080);
  }

  @Test
  void a_deny_policy_by_address_also_applies_to_plaintext() {
    var address = sample.get("unmeshed", "plain").getStatus().getPodIP();
    policy("address", "DENY", "{from: [{source: {ipBlocks: [%s]}}]}".formatted(address));
    awaitDenied("unmeshed", "plain", 8080);
    awaitAllowed("other", "visitor", 8080);
  }

  @Test
  void a_deny_policy_by_port_leaves_other_ports_open() {
    policy("port", "DENY", "{to: [{operation: {ports: [\"9090\"]}}]}");
    awaitDenied("policy", "friend", 9090);
    awaitAllowed("policy", "friend", 8080);
  }

  @Test
  void strict_mtls_refuses_plaintext_and_probes_still_pass() {
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {namespace: policy, name: strict}
        spec: {mtls: {mode: STRICT}}
        """);
    awaitDenied("unmeshed", "plain", 8080);
    awaitAllowed("policy", "friend", 8080);
    awaitAllowed("other", "visitor", 8080);
    assertThat(
            sample
                .ready("policy", "server")
                .getStatus()
                .getContainerStatuses()
                .getFirst()
                .getRestartCount())
        .isZero();
  }

  @Test
  void a_field_that_l4_cannot_enforce_makes_the_policy_stricter_and_shows_on_its_status() {
    policy(
        "paths",
        "ALLOW",
        "{from: [{source: {principals: [cluster.local/ns/policy/sa/friend]}}], to: [{operation: {paths: [/x]}}]}");
    awaitDenied("policy", "friend", 8080);
    await("ZtunnelAccepted names the field")
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(
            () ->
                assertThat(read("paths").getAdditionalProperties().get("status"))
                    .asString()
                    .contains("ZtunnelAccepted")
                    .contains("paths"));
  }
}
