package dev.ambit.k3s;

import static dev.ambit.k3s.InstalledAmbit.isTrue;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.Conditions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** UDP joins the mesh with its namespace, is judged there, and leaves with it. */
@ExtendWith(ClusterExtension.class)
class DatagramJourneyIT {
  private static final String NAMESPACE = "datagrams";
  private static final String OUTSIDE = "datagrams-outside";
  private static final String SERVERS = "datagram-servers";
  private static final String ECHO_IMAGE = GatewayConformanceIT.IMAGE;
  private static final int PORT = 7070;
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  /** What a replaced socket or rule may cost each time: at ten datagrams a second. */
  private static final int FEW = 5;

  private static InstalledAmbit ambit;
  private static Sample sample;

  @BeforeAll
  static void carryDatagrams(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    switchUdp(true);
    sample.namespace(NAMESPACE, Map.of());
  }

  @AfterAll
  static void restore() {
    switchUdp(false);
  }

  /** The ztunnels are replaced, since they need other capabilities. */
  private static void switchUdp(boolean carried) {
    var generation =
        ambit.patchMesh("{\"spec\":{\"udp\":%s}}".formatted(carried)).getMetadata().getGeneration();
    await("the mesh with UDP " + (carried ? "carried" : "left alone"))
        .atMost(PATIENCE)
        .pollInterval(Duration.ofMillis(500))
        .untilAsserted(
            () -> {
              AmbientMesh mesh = ambit.mesh();
              var status = Objects.requireNonNull(mesh.getStatus());
              assertThat(status.observedGeneration()).isEqualTo(generation);
              assertThat(isTrue(status.conditions(), Conditions.READY)).as("%s", status).isTrue();
            });
  }

  private static Wire wire() {
    return wire("udp port " + PORT);
  }

  private static Wire wire(String datagrams) {
    return new Wire(
        ambit.cluster().nodes().getFirst().capture("any", datagrams + " or tcp port 15008"));
  }

  private static List<String> said() {
    return sample.log(NAMESPACE, "sender").lines().toList();
  }

  private static long lost() {
    return said().stream().filter(line -> line.startsWith("lost ")).count();
  }

  /** The flow goes on, and has lost no more than a few datagrams since there were so many. */
  private static void goesOn(long lostBefore) {
    sample.assertGoesOn(NAMESPACE, "sender");
    assertThat(said().getLast()).contains("saw");
    assertThat(lost() - lostBefore).as("lost of %s", said()).isLessThanOrEqualTo(FEW);
  }

  private static CommandResult ask(String client, String text) {
    return ask(NAMESPACE, client, "server", text);
  }

  private static CommandResult ask(String namespace, String client, String server, String text) {
    return sample.run(
        namespace, client, "sample", "send", server, Integer.toString(PORT), text, "0", "1");
  }

  @Test
  void a_flow_joins_with_its_namespace_is_judged_and_leaves_with_it() {
    sample.datagramServer(NAMESPACE, "server", ambit.node(1), PORT);
    sample.client(NAMESPACE, "client", ambit.node(0));
    sample.client(NAMESPACE, "stranger", ambit.node(0));
    sample.namespace(OUTSIDE, Map.of());
    sample.client(OUTSIDE, "outsider", ambit.node(0));
    sample.send(NAMESPACE, "sender", ambit.node(0), "server", PORT, "long-standing");
    var client = sample.get(NAMESPACE, "client").getStatus().getPodIP();
    try (var wire = wire()) {
      await("the flow on the wire").atMost(PATIENCE).until(() -> wire.shows("long-standing"));
    }
    long lost = lost();

    ambit.enroll(sample, NAMESPACE, 4);
    // A peer that has not heard yet is told a moment later.
    await("the flow that was there before goes through the tunnel")
        .atMost(InstalledAmbit.SOON)
        .until(
            () -> {
              try (var wire = wire()) {
                sample.assertGoesOn(NAMESPACE, "sender");
                assertThat(ask("client", "fresh").orThrow())
                    .contains("saw " + client + ": fresh 1");
                return wire.touches(15008) && !wire.shows("long-standing") && !wire.shows("fresh");
              }
            });
    goesOn(lost);
    policy();
    await("the stranger is refused")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !ask("stranger", "refused").succeeded());
    await("the refusal is logged with both ends' identity")
        .atMost(InstalledAmbit.SOON)
        .until(
            () ->
                !ambit
                    .accessLog(ambit.node(1), "UDP flow", "sa/stranger\"", "sa/server\"")
                    .isEmpty());
    assertThat(ask("client", "allowed").orThrow()).contains("allowed 1");
    goesOn(lost);
    ambit
        .client()
        .genericKubernetesResources("security.istio.io/v1", "AuthorizationPolicy")
        .inNamespace(NAMESPACE)
        .delete();
    await("the stranger is answered")
        .atMost(InstalledAmbit.SOON)
        .until(() -> ask("stranger", "again").succeeded());

    lost = lost();
    ambit.replaceZtunnels();
    goesOn(lost);
    strictMtlsRefusesThoseOutside();
    aServerThatIsMadeAnewIsFound();

    lost = lost();
    sample.label(NAMESPACE, InstalledAmbit.MODE, "");
    await("all have left")
        .atMost(PATIENCE)
        .until(() -> ambit.enrollment(NAMESPACE, "labels") == null);
    try (var wire = wire()) {
      await("the flow is plain again").atMost(PATIENCE).until(() -> wire.shows("long-standing"));
    }
    goesOn(lost);
  }

  private static void strictMtlsRefusesThoseOutside() {
    assertThat(ask(OUTSIDE, "outsider", "server." + NAMESPACE, "let in").orThrow())
        .contains("let in 1");
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {namespace: datagrams, name: default}
        spec: {mtls: {mode: STRICT}}
        """);
    await("who is outside is refused")
        .atMost(InstalledAmbit.SOON)
        .until(() -> !ask(OUTSIDE, "outsider", "server." + NAMESPACE, "kept out").succeeded());
    assertThat(ask("client", "inside").orThrow()).contains("inside 1");
    ambit
        .client()
        .genericKubernetesResources("security.istio.io/v1", "PeerAuthentication")
        .inNamespace(NAMESPACE)
        .delete();
    await("who is outside is let in again")
        .atMost(InstalledAmbit.SOON)
        .until(() -> ask(OUTSIDE, "outsider", "server." + NAMESPACE, "again").succeeded());
  }

  private static void aServerThatIsMadeAnewIsFound() {
    sample.datagramServer(NAMESPACE, "passing", ambit.node(1), PORT);
    for (int incarnation = 0; incarnation < 2; incarnation++) {
      await("an answer of server " + incarnation)
          .atMost(InstalledAmbit.SOON)
          .until(() -> ask(NAMESPACE, "client", "passing", "who").succeeded());
      ambit
          .client()
          .pods()
          .inNamespace(NAMESPACE)
          .withName("passing")
          .withTimeout(60, TimeUnit.SECONDS)
          .delete();
      if (incarnation == 0) {
        sample.datagramServer(NAMESPACE, "passing", ambit.node(0), PORT);
      }
    }
  }

  private static void policy() {
    sample.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: datagrams, name: no-strangers}
        spec:
          action: DENY
          selector: {matchLabels: {app: server}}
          rules: [{from: [{source: {principals: [cluster.local/ns/datagrams/sa/stranger]}}]}]
        """);
  }

  @Test
  void echo_dns_and_http3_servers_answer_through_the_tunnel_from_either_node() {
    ambit.cluster().load(ECHO_IMAGE);
    sample.namespace(SERVERS, Map.of());
    var servers = new DatagramServers(ambit, sample, SERVERS);
    for (int node : new int[] {0, 1}) {
      servers.start(node);
      sample.client(SERVERS, "client-" + node, ambit.node(node));
      servers.startHttp3Client("http3-" + node, ambit.node(node), ECHO_IMAGE);
    }
    ambit.enroll(sample, SERVERS, 8);
    for (int node : new int[] {0, 1}) {
      var client = "client-" + node;
      int there = 1 - node;
      await("the first flow goes through the tunnel")
          .atMost(InstalledAmbit.SOON)
          .until(
              () -> {
                try (var wire = wire("udp port " + DatagramServers.ECHO)) {
                  servers.echo(client, there, 1, 100).orThrow();
                  return wire.touches(15008) && !wire.touches(DatagramServers.ECHO);
                }
              });
      try (var wire =
          wire(
              "udp port %d or udp port %d or udp port %d"
                  .formatted(DatagramServers.ECHO, DatagramServers.DNS, DatagramServers.HTTP3))) {
        servers.echo(client, there, 1, 0, 1, 100, 1400, 1472, 1473, 9000, 40_000, 65_507).orThrow();
        servers.echo(client, there, 1000, 200).orThrow();
        assertThat(servers.lookup(client, there).orThrow().strip())
            .isEqualTo(DatagramServers.ADDRESS);
        assertThat(servers.lookupByHttp3("http3-" + node, there).orThrow())
            .contains("StatusCode=200");
        assertThat(wire.touches(15008)).isTrue();
        assertThat(wire.touches(DatagramServers.ECHO)).isFalse();
        assertThat(wire.touches(DatagramServers.DNS)).isFalse();
        assertThat(wire.touches(DatagramServers.HTTP3)).isFalse();
      }
    }
    ambit.client().namespaces().withName(SERVERS).withGracePeriod(0).delete();
  }
}
