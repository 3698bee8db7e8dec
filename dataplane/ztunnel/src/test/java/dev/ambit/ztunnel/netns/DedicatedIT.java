package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Ztunnels that each serve the one pod in which they run, and learn the mesh from a file. */
@Timeout(300)
class DedicatedIT {
  private static final int PORT = 8080;

  @TempDir Path folder;
  private final Deque<AutoCloseable> resources = new ArrayDeque<>();
  private Mesh mesh;
  private Pod client;
  private Pod denied;
  private Pod server;

  @SuppressWarnings("NullAway.Init") // set up before each test
  DedicatedIT() {}

  @BeforeEach
  void start() {
    mesh = Mesh.withoutZtunnels(Map.of());
    client = mesh.unknown(mesh.a(), "client");
    denied = mesh.unknown(mesh.a(), "denied");
    server = mesh.unknown(mesh.b(), "server");
  }

  @AfterEach
  void stop() {
    Closing.all(resources);
    if (mesh != null) {
      mesh.close();
    }
  }

  private Path state() throws IOException {
    var text =
        new StringBuilder(
            """
            services:
            - name: web
              namespace: shop
              hostname: web.shop.svc.cluster.local
              vips: ["/10.99.0.1"]
              ports: {80: 0}
            policies:
            - name: not-everyone
              namespace: shop
              scope: Namespace
              action: Deny
              dryRun: false
              rules:
              - - - principals: [!Exact cluster.local/ns/shop/sa/denied]
            workloads:
            """);
    for (var pod : new Pod[] {client, denied, server}) {
      text.append(
          """
          - uid: %s
            name: %s
            namespace: %s
            serviceAccount: %s
            workloadIps: ["%s", "%s"]
            protocol: HBONE
            node: %s
            services: {%s}
          """
              .formatted(
                  pod.workloadUid(),
                  pod.name(),
                  pod.namespace(),
                  pod.serviceAccount(),
                  pod.ipv4().getHostAddress(),
                  pod.ipv6().getHostAddress(),
                  pod.node().name(),
                  pod == server ? "shop/web.shop.svc.cluster.local: {80: 8080}" : ""));
    }
    return Files.writeString(folder.resolve("state.yaml"), text);
  }

  private ZtunnelProcess ztunnelIn(MeshNode node, Pod pod, Map<String, String> environment) {
    var variables = new HashMap<>(mesh.environment());
    variables.put("PROXY_MODE", "dedicated");
    variables.put(
        "PROXY_WORKLOAD_INFO",
        "%s/%s/%s".formatted(pod.namespace(), pod.name(), pod.serviceAccount()));
    variables.put("PACKET_MARK", "1337");
    variables.putAll(environment);
    var process =
        ZtunnelProcess.start(
            node.program(),
            pod,
            mesh.controlPlane(),
            folder.resolve("no-agent.sock"),
            folder.resolve(pod.name()),
            variables);
    resources.push(process);
    PodRedirection.apply(pod);
    return process;
  }

  @Test
  void podsThatHaveTheirOwnReachEachOtherByWhatAFileSays() throws IOException {
    var local = Map.of("XDS_ADDRESS", "", "LOCAL_XDS_PATH", state().toString());
    var ofClient = ztunnelIn(mesh.a(), client, local);
    ztunnelIn(mesh.a(), denied, local).awaitReady();
    ztunnelIn(mesh.b(), server, local).awaitReady();
    ofClient.awaitReady();
    var marker = Calls.marker();
    var vip = new InetSocketAddress("10.99.0.1", 80);
    try (var echo = TcpServer.echo(server, PORT);
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      Calls.becomesAnswered(client, server.at(PORT));
      Calls.answered(client, server.at(PORT), marker);
      Calls.answered(client, server.at6(PORT), marker);
      Calls.answered(client, vip, marker);
      assertThat(wire.shows(marker)).isFalse();
      Calls.refused(denied, vip);
    }
    var log =
        ofClient.awaitLog(
            "the connection",
            line ->
                line.isConnectionComplete()
                    && line.has("dst.service", "web.shop.svc.cluster.local"));
    assertThat(log.fields())
        .containsEntry("src.identity", client.identity())
        .containsEntry("dst.identity", server.identity());
    assertThat(ofClient.configDump()).contains("Dedicated");
    ofClient.terminate();
    assertThat(ofClient.awaitExit(Patience.LONG)).isIn(0, 143);
  }

  @Test
  void oneThatFollowsTheControlPlaneLeavesItsOwnCallsAlone() throws IOException {
    mesh.controlPlane()
        .announce(WorkloadResource.captured(client), WorkloadResource.captured(server));
    ztunnelIn(mesh.b(), server, Map.of("XDS_ADDRESS", "", "LOCAL_XDS_PATH", state().toString()))
        .awaitReady();
    ztunnelIn(mesh.a(), client, Map.of()).awaitReady();
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void aFileThatCannotBeUsedIsNamedAndEndsIt() throws IOException {
    var wrong = Files.writeString(folder.resolve("wrong.yaml"), "workloads: [{uid: a, name: b}]");
    var process =
        ztunnelIn(mesh.a(), client, Map.of("XDS_ADDRESS", "", "LOCAL_XDS_PATH", wrong.toString()));
    assertThat(process.awaitExit(Patience.LONG)).isEqualTo(1);
    assertThat(process.logText())
        .contains("wrong.yaml")
        .contains("workloads[0].namespace is missing");
  }
}
