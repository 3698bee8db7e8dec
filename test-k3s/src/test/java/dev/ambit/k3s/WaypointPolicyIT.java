package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a waypoint lets through by who asks and what for, and that nothing gets around it. */
@ExtendWith(ClusterExtension.class)
class WaypointPolicyIT {
  private static final String NAMESPACE = "waypoint-policy";
  private static final String SERVER = "server.waypoint-policy.svc.cluster.local";

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static String address;

  @BeforeAll
  static void bind(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    sample.namespace(NAMESPACE, Map.of());
    address = sample.version(NAMESPACE, "server", "v1", ambit.node(1)).getStatus().getPodIP();
    sample.client(NAMESPACE, "friend", ambit.node(0));
    sample.client(NAMESPACE, "stranger", ambit.node(1));
    ambit.enroll(sample, NAMESPACE, 3);
    var waypoint = Waypoint.create(ambit, sample, NAMESPACE, "waypoint");
    sample.label(NAMESPACE, Waypoint.USE, "waypoint");
    waypoint.awaitPassed("friend", SERVER, true);
    waypoint.awaitPassed("stranger", SERVER, true);
  }

  @AfterEach
  void lift() {
    ambit
        .client()
        .genericKubernetesResources("security.istio.io/v1", "AuthorizationPolicy")
        .inNamespace(NAMESPACE)
        .delete();
    await("all is allowed again")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                answer("friend", "GET", "/x").equals("200")
                    && answer("stranger", "POST", "/admin/x").equals("200")
                    && direct("stranger").succeeded());
  }

  /** The status of the answer, or what went wrong. */
  private static String answer(String client, String method, String path, String... options) {
    var arguments = new java.util.ArrayList<>(List.of("-m", method));
    arguments.addAll(List.of(options));
    arguments.addAll(List.of(SERVER, "8080", path));
    var answer = sample.get(NAMESPACE, client, arguments.toArray(String[]::new));
    return answer.output().startsWith("HTTP/1.1 ")
        ? answer.output().split(" ", 3)[1]
        : answer.error();
  }

  /** A request to the server's pod itself. */
  private static CommandResult direct(String client) {
    return sample.request(NAMESPACE, client, address, 8080, "direct");
  }

  private static void awaitAnswer(
      String status, String client, String method, String path, String... options) {
    await("%s %s of %s is answered with %s".formatted(method, path, client, status))
        .atMost(InstalledAmbit.SOON)
        .untilAsserted(() -> assertThat(answer(client, method, path, options)).isEqualTo(status));
  }

  @Test
  void an_allow_policy_by_principal_method_and_path() {
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: waypoint-policy, name: readers}
        spec:
          targetRefs: [{group: "", kind: Service, name: server}]
          action: ALLOW
          rules:
          - from: [{source: {principals: [cluster.local/ns/waypoint-policy/sa/friend]}}]
            to: [{operation: {methods: [GET], paths: [/articles/*]}}]
        """);
    awaitAnswer("403", "stranger", "GET", "/articles/1");
    awaitAnswer("200", "friend", "GET", "/articles/1");
    awaitAnswer("403", "friend", "POST", "/articles/1");
    awaitAnswer("403", "friend", "GET", "/other");
    awaitAnswer("403", "friend", "GET", "/articles/../other");
  }

  @Test
  void a_deny_policy_by_header() {
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: waypoint-policy, name: no-tests}
        spec:
          targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}]
          action: DENY
          rules:
          - when: [{key: "request.headers[x-test]", values: ["*"]}]
        """);
    awaitAnswer("403", "friend", "GET", "/x", "-H", "X-Test: 1");
    awaitAnswer("200", "friend", "GET", "/x");
  }

  @Test
  void where_a_policy_needs_the_waypoint_nothing_gets_around_it() {
    assertThat(direct("stranger").succeeded()).isTrue();
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: waypoint-policy, name: no-admin}
        spec:
          targetRefs: [{group: "", kind: Service, name: server}]
          action: DENY
          rules:
          - to: [{operation: {paths: [/admin*]}}]
        """);
    awaitAnswer("403", "stranger", "GET", "/admin/x");
    awaitAnswer("200", "stranger", "GET", "/x");
    await("the pod itself refuses who comes past the waypoint")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !direct("stranger").succeeded());
    awaitAnswer("200", "stranger", "GET", "/x");
  }

  @Test
  void while_the_waypoint_is_away_requests_are_refused() {
    var other = new Waypoint(ambit, sample, NAMESPACE, "absent");
    var service = ambit.client().services().inNamespace(NAMESPACE).withName("server");
    sample.label(service, Waypoint.USE, other.name());
    try {
      await("requests refused")
          .atMost(InstalledAmbit.SOON)
          .until(() -> !sample.request(NAMESPACE, "friend", SERVER, 8080, "x").succeeded());
      other.apply("Same", "");
      other.awaitProgrammed();
      other.awaitPassed("friend", SERVER, true);
      other.delete();
      await("requests refused again")
          .atMost(InstalledAmbit.SOON)
          .until(() -> !sample.request(NAMESPACE, "friend", SERVER, 8080, "x").succeeded());
      sample.label(NAMESPACE, "ambit.dev/waypoint-when-missing", "Bypass");
      other.awaitPassed("friend", SERVER, false);
    } finally {
      sample.label(NAMESPACE, "ambit.dev/waypoint-when-missing", "");
      sample.label(service, Waypoint.USE, "");
    }
  }
}
