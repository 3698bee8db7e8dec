package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SimulateCommandTest {
  private static final String POLICY =
      """
      apiVersion: security.istio.io/v1
      kind: AuthorizationPolicy
      metadata: {name: cart-only, namespace: shop}
      spec:
        selector: {matchLabels: {app: cart}}
        action: ALLOW
        rules:
        - from: [{source: {principals: [cluster.local/ns/bank/sa/till]}}]
      """;

  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.text(
        "/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-a/log",
        CommandLineFixture.resource("access.log"));
    ambit.server.text("/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-b/log", "");
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  private CommandLineFixture.Result simulate(String policy) throws Exception {
    Files.writeString(ambit.folder.resolve("policy.yaml"), policy);
    return ambit.run("authz", "simulate", "-f", "policy.yaml");
  }

  @Test
  void connections_that_a_policy_would_have_denied_are_counted_by_source() throws Exception {
    simulate(POLICY).exits(ExitCode.FINDINGS).printed("simulate.txt");
  }

  @Test
  void a_ztunnel_that_has_not_started_yet_is_passed_over_and_said() throws Exception {
    ambit.server.refuse("/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-b/log", 400);
    assertThat(simulate(POLICY).exits(ExitCode.FINDINGS).err())
        .contains("the log of ambit-system/ambit-ztunnel-b cannot be read yet")
        .contains("and is passed over");
  }

  @Test
  void what_another_policy_allows_stays_allowed() throws Exception {
    ambit.server.put(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: everybody, namespace: shop}
        spec: {action: ALLOW, rules: [{}]}
        """);
    assertThat(simulate(POLICY).exits(ExitCode.OK).out())
        .contains("0 that were let in would have been denied.");
  }

  @Test
  void fields_of_layer_7_are_said_to_make_it_stricter() throws Exception {
    assertThat(
            simulate(POLICY.replace("rules:", "rules:\n  - to: [{operation: {methods: [GET]}}]"))
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("more strictly than it is written")
        .contains("spec.rules[0].to[0].operation.methods");
  }

  @Test
  void files_that_hold_no_such_policy_are_wrong_usage() throws Exception {
    assertThat(simulate("kind: ConfigMap\napiVersion: v1\n").exits(ExitCode.USAGE).err())
        .contains("has a ConfigMap, not an AuthorizationPolicy");
    simulate("# nothing\n").exits(ExitCode.USAGE);
    simulate("a: [").exits(ExitCode.USAGE);
    ambit.run("authz", "simulate", "-f", "absent.yaml").exits(ExitCode.USAGE);
    ambit.run("authz").exits(ExitCode.USAGE);
    assertThat(
            simulate(
                    POLICY.replace(
                        "selector: {matchLabels: {app: cart}}",
                        "targetRefs: [{kind: ServiceEntry, name: cart, group:"
                            + " networking.istio.io}]"))
                .exits(ExitCode.REFUSED)
                .err())
        .contains("is attached to a ServiceEntry");
  }

  private static String attached(String rules) {
    return """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: readers, namespace: shop}
    spec:
      targetRefs: [{kind: Service, name: prices, group: ''}]
      action: ALLOW
      rules: %s
    """
        .formatted(rules);
  }

  /** A waypoint with a log of what its default fields of JSON have. */
  private void waypoint(String... lines) {
    ambit.server.put(
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: waypoint-1
          namespace: shop
          labels:
            gateway.networking.k8s.io/gateway-name: waypoint
            gateway.networking.k8s.io/gateway-class-name: ambit-waypoint
            app.kubernetes.io/managed-by: ambit
        spec: {nodeName: node-1, containers: [{name: istio-proxy}, {name: more}]}
        """);
    ambit.server.text(
        "/api/v1/namespaces/shop/pods/waypoint-1/log", String.join("\n", lines) + "\n");
  }

  private static String request(String account, String method, String path, String details) {
    return """
    {"filter_chain": "http|shop/prices.shop.svc.cluster.local|8080", "method": "%s",\
     "path": "%s", "authority": "prices:8080", "response_code_details": "%s",\
     "downstream_remote_address": "10.42.0.7:40000", "source_workload": "%s",\
     "source_workload_namespace": "shop",\
     "source_principal": "spiffe://cluster.local/ns/shop/sa/%s"}\
    """
        .formatted(method, path, details, account, account)
        .strip();
  }

  @Test
  void requests_that_a_policy_at_a_waypoint_would_have_denied_are_counted() throws Exception {
    waypoint(
        request("guest", "GET", "/public/a?b=c", "via_upstream"),
        request("guest", "POST", "/public/a", "via_upstream"),
        request("guest", "POST", "/public/a?d=e", "via_upstream"),
        request("cart", "POST", "/public/a", "via_upstream"),
        request("cart", "GET", "/x", "rbac_access_denied_matched_policy[none]"),
        "[2026-11-30] \"GET /public/a HTTP/1.1\" 200",
        "{\"event\": \"tunnel refused\"}",
        "{cut off");
    simulate(
            attached(
                "[{from: [{source: {serviceAccounts: [cart]}}]},"
                    + " {to: [{operation: {methods: [GET], paths: ['/public/*']}}]}]"))
        .exits(ExitCode.FINDINGS)
        .printed("simulate-requests.txt");
  }

  @Test
  void what_is_only_tried_denies_nothing_however_it_is_written() throws Exception {
    waypoint(request("guest", "GET", "/", "via_upstream"));
    ambit.server.put(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: tried, namespace: shop, annotations: {istio.io/dry-run: "True"}}
        spec:
          targetRefs: [{kind: Service, name: prices, group: ''}]
          action: DENY
          rules: [{}]
        """);
    assertThat(simulate(attached("[{}]")).exits(ExitCode.OK).out())
        .contains("0 that were let in would have been denied.");
  }

  @Test
  void what_turns_on_what_logs_do_not_have_is_undecided() throws Exception {
    waypoint(request("guest", "GET", "/", "via_upstream"));
    assertThat(
            simulate(
                    attached(
                        "[{when: [{key: 'request.headers[x-team]', values: [shop]}]},"
                            + " {from: [{source: {requestPrincipals: ['*']}}]}]"))
                .exits(ExitCode.OK)
                .out())
        .contains("of 1 the log does not have what a rule turns on")
        .contains("0 that were let in would have been denied.");
  }

  @Test
  void policies_that_are_there_count_beside_the_one_that_is_tried() throws Exception {
    waypoint(request("guest", "GET", "/", "via_upstream"));
    ambit.server.put(
        attached("[{to: [{operation: {ports: ['8080']}}]}]").replace("readers", "port"));
    assertThat(
            simulate(attached("[{to: [{operation: {methods: [POST]}}]}]")).exits(ExitCode.OK).out())
        .contains("1 requests were seen in the last 1h, 1 of them to what this is for.");
  }

  @Test
  void a_waypoint_that_logs_nothing_is_said() throws Exception {
    waypoint();
    assertThat(
            simulate(attached("[{to: [{operation: {methods: [POST]}}]}]")).exits(ExitCode.OK).err())
        .contains("no waypoint has logged a request with who sent it");
  }
}
