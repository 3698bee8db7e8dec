package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.cli.output.Json;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TrafficCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() throws Exception {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.put(
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: till, namespace: bank, annotations: {ambient.istio.io/redirection: enabled}}
        spec: {nodeName: node-2, serviceAccountName: till, containers: [{name: till}]}
        status: {podIP: 10.42.1.3}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: cart, namespace: shop}
        spec: {ports: [{port: 80}]}
        """);
    dumps(
        dump -> {
          ((ObjectNode) dump.at("/workloads/1")).put("protocol", "HBONE");
          ((ObjectNode) dump.at("/services/0")).remove("waypoint");
        });
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  /** Both ztunnels know the same. */
  private void dumps(Consumer<JsonNode> change) throws Exception {
    JsonNode dump = Json.parse(CommandLineFixture.resource("ztunnel-a.json"));
    policy(dump, allow("till"));
    change.accept(dump);
    ambit.adminAnswers.put("ambit-ztunnel-a/config_dump", dump.toString());
    ambit.adminAnswers.put("ambit-ztunnel-b/config_dump", dump.toString());
  }

  private static void policy(JsonNode dump, Authorization policy) {
    ArrayNode policies = (ArrayNode) dump.path("policies");
    policies.removeAll();
    policies.addObject().put("text", policy.toString());
  }

  private static Authorization allow(String account) {
    return Authorization.newBuilder()
        .setNamespace("shop")
        .setName("cart-only")
        .setScope(Scope.WORKLOAD_SELECTOR)
        .setAction(Action.ALLOW)
        .addRules(
            Rule.newBuilder()
                .addClauses(
                    Clause.newBuilder()
                        .addMatches(
                            Match.newBuilder()
                                .addPrincipals(
                                    StringMatch.newBuilder()
                                        .setExact("cluster.local/ns/bank/sa/" + account)))))
        .build();
  }

  @Test
  void a_connection_that_a_policy_allows_shows_its_hops_and_the_policy() {
    ambit
        .run("explain", "traffic", "bank/till", "shop/cart")
        .exits(ExitCode.OK)
        .printed("traffic.txt");
  }

  @Test
  void a_connection_that_no_policy_allows_is_denied() throws Exception {
    dumps(
        dump -> {
          ((ObjectNode) dump.at("/services/0")).remove("waypoint");
          policy(dump, allow("somebody"));
        });
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "shop/cart:80")
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("The connection is denied.")
        .contains("no policy allows it");
  }

  @Test
  void a_source_that_is_not_captured_has_no_identity() {
    assertThat(
            ambit.run("explain", "traffic", "shop/late", "svc/cart").exits(ExitCode.FINDINGS).out())
        .contains("The source is not captured")
        .containsPattern("shop/cart +10.42.0.7:8080 +TCP +- +Permissive +Denied");
  }

  @Test
  void a_pod_is_reached_at_a_port_that_is_given() {
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "pod/cart:9999", "-n", "shop")
                .exits(ExitCode.OK)
                .out())
        .containsPattern("shop/cart +10.42.0.7:9999 +HBONE");
    assertThat(
            ambit.run("explain", "traffic", "bank/till", "pod/cart", "-n", "shop").exits(2).err())
        .contains(":PORT");
  }

  @Test
  void a_waypoint_that_is_not_there_refuses() throws Exception {
    dumps(dump -> {});
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "shop/cart")
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("The connection gets nowhere.")
        .contains("refused while the waypoint");
  }

  @Test
  void a_waypoint_shows_its_own_identity_and_its_policies() throws Exception {
    ambit.server.put(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: get-only, namespace: shop}
        spec: {targetRefs: [{group: "", kind: Service, name: cart}], action: DENY}
        """);
    dumps(
        dump -> {
          ObjectNode waypoint = ((ArrayNode) dump.path("workloads")).addObject();
          waypoint
              .put("uid", "w")
              .put("name", "waypoint-1")
              .put("namespace", "shop")
              .put("trustDomain", "cluster.local")
              .put("serviceAccount", "waypoint")
              .put("node", "node-2");
          waypoint.putArray("workloadIps").add("10.42.1.20");
          waypoint.putArray("services").add("shop/waypoint.shop.svc.cluster.local");
        });
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "shop/cart")
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("spiffe://cluster.local/ns/shop/sa/waypoint")
        .contains("The waypoint judges each request by: shop/get-only (DENY)")
        .contains("no policy allows it");
  }

  @Test
  void what_does_not_exist_is_refused() {
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "shop/nothing")
                .exits(ExitCode.REFUSED)
                .err())
        .contains("there is no service and no pod 'shop/nothing'");
    assertThat(ambit.run("explain").exits(ExitCode.USAGE).err()).contains("say which pod");
    assertThat(
            ambit
                .run("explain", "traffic", "bank/till", "shop/cart:81")
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("no port 81; it has 80, 9090, 53/UDP");
  }
}
