package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.security.Action;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** What operators of the mesh see: metrics, access logs, readiness and state. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TelemetryIT {
  private static final int PORT = 8080;

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void connectionsAndBytesAreCountedByBothSides() throws IOException {
    var client = mesh.captured(mesh.a(), "counted-client");
    var server = mesh.captured(mesh.b(), "counted-server");
    try (var echo = TcpServer.start(server, PORT, TelemetryIT::answerTwice)) {
      try (var connection = TcpClient.connect(client, server.at(PORT))) {
        connection.send("1234567890");
        assertThat(connection.receive(20)).hasSize(20);
      }
    }
    var labels =
        Map.of(
            "source_principal", client.identity(),
            "destination_principal", server.identity(),
            "source_workload", client.name(),
            "destination_workload", server.name(),
            "source_workload_namespace", "shop",
            "destination_workload_namespace", "shop",
            "connection_security_policy", "mutual_tls",
            "request_protocol", "tcp",
            "response_flags", "-");
    counted(mesh.a().ztunnel(), "source", labels);
    counted(mesh.b().ztunnel(), "destination", labels);
  }

  private static void answerTwice(java.net.Socket socket) throws IOException {
    var question = socket.getInputStream().readNBytes(10);
    socket.getOutputStream().write(question);
    socket.getOutputStream().write(question);
    socket.getInputStream().readAllBytes();
  }

  private static void counted(
      ZtunnelProcess ztunnel, String reporter, Map<String, String> expected) {
    var labels = new java.util.HashMap<>(expected);
    labels.put("reporter", reporter);
    await("the metrics of the " + reporter)
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> {
              var metrics = ztunnel.metrics();
              assertThat(metrics.sum("istio_tcp_connections_opened_total", labels)).isEqualTo(1);
              assertThat(metrics.sum("istio_tcp_connections_closed_total", labels)).isEqualTo(1);
              // As at the peer: what the client receives counts as sent.
              assertThat(metrics.sum("istio_tcp_sent_bytes_total", labels)).isEqualTo(20);
              assertThat(metrics.sum("istio_tcp_received_bytes_total", labels)).isEqualTo(10);
            });
  }

  @Test
  void accessLogsNameBothSidesTheAddressesAndTheBytes() throws IOException {
    var client = mesh.captured(mesh.a(), "logged-client");
    var server = mesh.captured(mesh.b(), "logged-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT), "12345");
    }
    var outbound =
        mesh.a()
            .ztunnel()
            .awaitLog(
                "the outbound connection",
                line ->
                    line.isConnectionComplete()
                        && line.has("direction", "outbound")
                        && line.has("src.workload", client.name()));
    var inbound =
        mesh.b()
            .ztunnel()
            .awaitLog(
                "the inbound connection",
                line ->
                    line.isConnectionComplete()
                        && line.has("direction", "inbound")
                        && line.has("src.workload", client.name()));
    var serverAddress = server.ipv4().getHostAddress();
    for (var line : List.of(outbound, inbound)) {
      assertThat(line.fields())
          .as(line.text())
          .containsEntry("src.namespace", "shop")
          .containsEntry("src.identity", client.identity())
          .containsEntry("dst.workload", server.name())
          .containsEntry("dst.namespace", "shop")
          .containsEntry("dst.identity", server.identity())
          .containsEntry("bytes_sent", "5")
          .containsEntry("bytes_recv", "5")
          .containsKey("duration")
          .doesNotContainKey("error");
      assertThat(line.fields().get("src.addr")).startsWith(client.ipv4().getHostAddress() + ":");
    }
    assertThat(outbound.fields())
        .containsEntry("dst.addr", serverAddress + ":15008")
        .containsEntry("dst.hbone_addr", serverAddress + ":" + PORT);
  }

  @Test
  void aDenialIsLoggedWithItsReasonAndCounted() throws IOException {
    var client = mesh.captured(mesh.a(), "denied-client");
    var server = mesh.captured(mesh.b(), "denying-server");
    var policy = Policies.of("shop", "deny-it", Action.DENY, Policies.principal(client)).build();
    mesh.controlPlane().enforce(policy);
    mesh.controlPlane().announce(WorkloadResource.captured(server).selectedBy("shop/deny-it"));
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.refused(client, server.at(PORT));
    }
    mesh.b()
        .ztunnel()
        .awaitLog(
            "the denial",
            line ->
                line.text().contains("shop/deny-it")
                    && line.text().contains(client.ipv4().getHostAddress()));
    mesh.a()
        .ztunnel()
        .awaitLog(
            "the answer",
            line ->
                line.text().contains("401")
                    && line.text().contains(client.ipv4().getHostAddress()));
  }

  @Test
  void anApplicationThatResetsItsConnectionIsNoError() throws IOException {
    var client = mesh.captured(mesh.a(), "abrupt-client");
    var server = mesh.captured(mesh.b(), "left-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      var connection = TcpClient.connect(client, server.at(PORT));
      assertThat(connection.echo("hello")).isEqualTo("hello");
      connection.reset();
      for (var node : List.of(mesh.a(), mesh.b())) {
        var line =
            node.ztunnel()
                .awaitLog(
                    "the end of the connection",
                    each -> each.isConnectionComplete() && each.has("src.workload", client.name()));
        assertThat(line.text()).contains("\tinfo\taccess\t");
        assertThat(line.fields()).doesNotContainKey("error").containsEntry("bytes_sent", "5");
      }
      await("the server hears of the reset")
          .atMost(Patience.LONG)
          .untilAsserted(() -> assertThat(echo.open()).isZero());
    }
  }

  @Test
  void tunnelsThatFailAreCountedByReason() throws IOException {
    var caller = mesh.uncaptured(mesh.a(), "failing-caller");
    var server = mesh.captured(mesh.b(), "guarded-server");
    try (var plain = TcpClient.connect(caller, server.at(15008))) {
      plain.send("GET / HTTP/1.1\r\n\r\n");
      plain.awaitEnd();
    }
    var strangers =
        mesh.authority().workload("spiffe://elsewhere.example/ns/shop/sa/failing-caller");
    try (var hbone =
        HboneClient.connect(caller.host(), server.at(15008), mesh.authority(), strangers)) {
      assertThat(hbone.connect(server.ipv4().getHostAddress() + ":80")).isIn("closed", "reset");
    } catch (IOException handshakeFailed) {
      // Where the refusal comes before the client believes that TLS stands.
    }
    for (var reason : List.of("plaintext", "trust_domain")) {
      await(reason)
          .atMost(Patience.LONG)
          .untilAsserted(
              () ->
                  assertThat(
                          mesh.b()
                              .ztunnel()
                              .metrics()
                              .sum(
                                  "ambit_tls_handshake_failures_total",
                                  Map.of("reporter", "destination", "reason", reason)))
                      .isEqualTo(1));
    }
  }

  @Test
  void plainConnectionsAreMarkedSo() throws IOException {
    var client = mesh.uncaptured(mesh.a(), "plain-client");
    var server = mesh.captured(mesh.b(), "plain-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
    }
    await()
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        mesh.b()
                            .ztunnel()
                            .metrics()
                            .sum(
                                "istio_tcp_connections_opened_total",
                                Map.of(
                                    "reporter", "destination",
                                    "source_principal", "unknown",
                                    "source_workload", client.name(),
                                    "destination_workload", server.name(),
                                    "connection_security_policy", "unknown")))
                    .isEqualTo(1));
  }

  @Test
  void callsToServicesCarryTheServicesName() throws IOException {
    var client = mesh.captured(mesh.a(), "caller");
    var server = mesh.captured(mesh.b(), "callee");
    var service =
        new ServiceResource("shop", "counted", new InetSocketAddress("10.96.0.20", 80), PORT);
    mesh.controlPlane().announce(service);
    mesh.controlPlane().announce(WorkloadResource.captured(server).endpointOf(service, PORT));
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, service.address4());
    }
    await()
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        mesh.a()
                            .ztunnel()
                            .metrics()
                            .sum(
                                "istio_tcp_connections_opened_total",
                                Map.of(
                                    "reporter", "source",
                                    "destination_service", service.hostname(),
                                    "destination_service_name", "counted",
                                    "destination_service_namespace", "shop")))
                    .isEqualTo(1));
  }

  @Test
  void metricsAreWellFormedAndNameTheBuild() {
    var metrics = mesh.a().ztunnel().metrics();
    assertThat(metrics.named("istio_build"))
        .singleElement()
        .satisfies(sample -> assertThat(sample.labels()).containsEntry("component", "ztunnel"));
  }

  @Test
  void theStateCanBeSeenWithoutASecretInIt() throws IOException {
    var pod = mesh.captured(mesh.a(), "visible");
    await()
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> {
              var dump = mesh.a().ztunnel().configDump();
              assertThat(dump)
                  .contains(pod.workloadUid())
                  .contains(pod.identity())
                  .doesNotContain("PRIVATE KEY")
                  .doesNotContain(CertificateService.TOKEN);
            });
    assertThat(mesh.a().ztunnel().logText()).doesNotContain(CertificateService.TOKEN);
  }

  @Test
  void theNodeTellsTheControlPlaneWhoItIs() {
    assertThat(mesh.controlPlane().discovery().nodes())
        .anySatisfy(
            node -> {
              assertThat(node.getId()).startsWith("ztunnel~");
              assertThat(node.getMetadata().getFieldsOrThrow("NODE_NAME").getStringValue())
                  .isEqualTo("node-a");
            });
  }
}
