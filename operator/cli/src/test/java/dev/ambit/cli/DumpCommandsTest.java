package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.cli.output.Json;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What ztunnels and waypoints are asked for. */
class DumpCommandsTest {
  private static final String EMPTY =
      "{\"workloads\": [], \"services\": [], \"policies\": [], \"certificates\": [],"
          + " \"workloadState\": {}}";

  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.adminAnswers.put(
        "ambit-ztunnel-a/config_dump", CommandLineFixture.resource("ztunnel-a.json"));
    ambit.adminAnswers.put("ambit-ztunnel-b/config_dump", EMPTY);
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  @Test
  void certificates_are_shown_with_serial_times_and_root() {
    ambit.run("certs").exits(ExitCode.OK).printed("certs.txt");
    assertThat(ambit.run("certs", "cart").exits(ExitCode.OK).out()).contains("/ns/shop/sa/cart");
    assertThat(ambit.run("certs", "-n", "bank").exits(ExitCode.OK).out()).doesNotContain("sa/cart");
  }

  @Test
  void a_certificate_that_has_expired_is_a_finding() {
    ambit.clock = () -> CommandLineFixture.NOW.plusSeconds(86_400);
    assertThat(ambit.run("certs").exits(ExitCode.FINDINGS).out()).contains("expired");
  }

  @Test
  void a_pod_without_a_certificate_is_told_to_be_explained() {
    assertThat(ambit.run("certs", "shop/late").exits(ExitCode.REFUSED).err())
        .contains("`ambit explain shop/late`");
  }

  @Test
  void open_connections_are_shown_with_their_peers() {
    ambit.run("connections").exits(ExitCode.OK).printed("connections.txt");
    assertThat(ambit.run("connections", "cart", "--plain").exits(ExitCode.OK).out())
        .contains("10.42.1.5:40001")
        .doesNotContain("10.42.1.9:5353")
        .doesNotContain("10.42.1.9:40000");
    assertThat(ambit.run("connections", "-n", "bank").exits(ExitCode.OK).out())
        .isEqualTo("No connection is open.\n");
  }

  @Test
  void a_ztunnel_that_does_not_answer_is_named_and_the_others_are_shown() {
    ambit.adminAnswers.remove("ambit-ztunnel-b/config_dump");
    var result = ambit.run("connections", "-o", "json").exits(ExitCode.FINDINGS);
    assertThat(result.err()).contains("ztunnel ambit-ztunnel-b gives no dump: connection refused");
    assertThat(result.out()).contains("uid-cart".substring(4));
    ambit.adminAnswers.clear();
    assertThat(ambit.run("certs").exits(ExitCode.REFUSED).err()).contains("pods/portforward");
  }

  @Test
  void what_a_ztunnel_was_told_is_shown() {
    ambit.run("proxy-config", "workloads").exits(ExitCode.OK).printed("workloads.txt");
    ambit.run("proxy-config", "services").exits(ExitCode.OK).printed("services.txt");
    ambit.run("proxy-config", "policies", "shop/cart").exits(ExitCode.OK).printed("policies.txt");
    assertThat(ambit.run("proxy-config", "all", "--node", "node-1").exits(ExitCode.OK).out())
        .contains("\"xdsAddress\"");
    ambit.run("proxy-config", "nothing").exits(ExitCode.USAGE);
  }

  private void waypoint(String dump) {
    ambit.server.put(
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: waypoint-1, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: waypoint}}
        spec: {nodeName: node-1}
        """);
    ambit.adminAnswers.put("waypoint-1/config_dump?include_eds", dump);
  }

  @Test
  void a_waypoints_pod_shows_envoys_configuration() throws Exception {
    waypoint("{\"configs\": [{\"a\": 1}]}");
    var json =
        Json.parse(
            ambit.run("proxy-config", "all", "waypoint-1", "-o", "json").exits(ExitCode.OK).out());
    assertThat(json.at("/configs/0/a").asInt()).isEqualTo(1);
    assertThat(ambit.run("proxy-config", "services", "waypoint-1").exits(ExitCode.USAGE).err())
        .contains("listeners, clusters, routes, endpoints");
    assertThat(ambit.run("proxy-config", "routes", "shop/cart").exits(ExitCode.USAGE).err())
        .contains("routes are what waypoints know");
  }

  @Test
  void a_waypoints_parts_are_shown() {
    waypoint(CommandLineFixture.resource("waypoint.json"));
    for (String part : new String[] {"listeners", "clusters", "routes", "endpoints"}) {
      ambit
          .run("proxy-config", part, "waypoint-1")
          .exits(ExitCode.OK)
          .printed("waypoint-" + part + ".txt");
    }
  }
}
