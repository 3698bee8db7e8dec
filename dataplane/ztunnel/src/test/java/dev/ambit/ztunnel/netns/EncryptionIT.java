package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** What is on the wire, and whom the application sees, by who of the two is in the mesh. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EncryptionIT {
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
  void acrossNodesOnlyHboneIsOnTheWireAndBothSidesLogBothIdentities() throws IOException {
    var client = mesh.captured(mesh.a(), "cross-client");
    var server = mesh.captured(mesh.b(), "cross-server");
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT), marker);

      assertThat(wire.portsOpened(client, server)).containsExactly(15008);
      assertThat(wire.shows(marker)).isFalse();
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4());
    }
    logsBothIdentities(mesh.a().ztunnel(), "outbound", client, server);
    logsBothIdentities(mesh.b().ztunnel(), "inbound", client, server);
  }

  @Test
  void onOneNodeOnlyHboneIsOnTheLinkAndBothIdentitiesAreLogged() throws IOException {
    var client = mesh.captured(mesh.a(), "local-client");
    var server = mesh.captured(mesh.a(), "local-server");
    var marker = Calls.marker();
    try (var link = PacketCapture.of(server);
        var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT), marker);

      assertThat(link.portsOpened(client, server)).containsExactly(15008);
      assertThat(link.shows(marker)).isFalse();
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4());
    }
    logsBothIdentities(mesh.a().ztunnel(), "outbound", client, server);
    logsBothIdentities(mesh.a().ztunnel(), "inbound", client, server);
  }

  private static void logsBothIdentities(
      ZtunnelProcess ztunnel, String direction, Pod client, Pod server) {
    ztunnel.awaitLog(
        "the %s connection of %s with both identities".formatted(direction, client),
        line ->
            line.isConnectionComplete()
                && line.has("direction", direction)
                && line.has("src.identity", client.identity())
                && line.has("dst.identity", server.identity()));
  }

  @Test
  void ipv6IsTunnelledAndTheServerSeesTheClientsAddress() throws IOException {
    var client = mesh.captured(mesh.a(), "client6");
    var server = mesh.captured(mesh.b(), "server6");
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at6(PORT), marker);

      assertThat(wire.portsOpened(client, server)).containsExactly(15008);
      assertThat(wire.shows(marker)).isFalse();
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv6());
    }
  }

  @Test
  void aClientOutsideTheMeshStillReachesACapturedServer() throws IOException {
    var client = mesh.uncaptured(mesh.a(), "plain-client");
    var stranger = mesh.unknown(mesh.a(), "stranger");
    var server = mesh.captured(mesh.b(), "meshed-server");
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT), marker);
      Calls.answered(client, server.at6(PORT));
      Calls.answered(stranger, server.at(PORT));

      assertThat(wire.portsOpened(client, server)).containsExactly(PORT);
      assertThat(wire.shows(marker)).isTrue();
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4(), client.ipv6(), stranger.ipv4());
    }
  }

  @Test
  void aCapturedClientStillReachesServersOutsideTheMesh() throws IOException {
    var client = mesh.captured(mesh.a(), "meshed-client");
    var server = mesh.uncaptured(mesh.b(), "plain-server");
    var stranger = mesh.unknown(mesh.b(), "strange-server");
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = TcpServer.echo(server, PORT);
        var strange = TcpServer.echo(stranger, PORT)) {
      Calls.answered(client, server.at(PORT), marker);
      Calls.answered(client, server.at6(PORT));
      Calls.answered(client, stranger.at(PORT));

      assertThat(wire.portsOpened(client, server)).containsExactly(PORT);
      assertThat(wire.shows(marker)).isTrue();
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4(), client.ipv6());
      assertThat(strange.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4());
    }
  }

  @Test
  void aServiceAddressLeadsToAllItsEndpointsThroughTunnels() throws IOException {
    var client = mesh.captured(mesh.a(), "service-client");
    var near = mesh.captured(mesh.a(), "endpoint");
    var far = mesh.captured(mesh.b(), "endpoint");
    var service = new ServiceResource("shop", "web", new InetSocketAddress("10.96.0.10", 80), PORT);
    mesh.controlPlane().announce(service);
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(near).endpointOf(service, PORT),
            WorkloadResource.captured(far).endpointOf(service, PORT));
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var nearServer = TcpServer.start(near, PORT, says("near"));
        var farServer = TcpServer.start(far, PORT, says("far"))) {
      var answers = new HashSet<String>();
      for (int i = 0; i < 40; i++) {
        try (var connection = TcpClient.connect(client, service.address4())) {
          answers.add(new String(connection.receiveAll(), StandardCharsets.UTF_8));
        }
      }
      assertThat(answers).containsExactlyInAnyOrder("near", "far");
      assertThat(wire.portsOpened(client, far)).containsExactly(15008);
      for (var server : List.of(nearServer, farServer)) {
        assertThat(server.callers())
            .extracting(InetSocketAddress::getAddress)
            .containsOnly(client.ipv4());
      }
    }
    mesh.a()
        .ztunnel()
        .awaitLog(
            "the service's name",
            line ->
                line.isConnectionComplete()
                    && line.has("direction", "outbound")
                    && line.has("dst.service", service.hostname()));
  }

  @Test
  void aServiceWithoutAUsableEndpointRefuses() {
    var client = mesh.captured(mesh.a(), "lost-client");
    var service =
        new ServiceResource("shop", "empty", new InetSocketAddress("10.96.0.11", 80), PORT);
    mesh.controlPlane().announce(service);

    Calls.refused(client, service.address4());
    Calls.refused(client, new InetSocketAddress(service.address4().getAddress(), 81));
  }

  @Test
  void aServiceThatLeadsBackToItsCallerAnswersIt() throws IOException {
    var pod = mesh.captured(mesh.a(), "own-client");
    var service = new ServiceResource("shop", "own", new InetSocketAddress("10.96.0.12", 80), PORT);
    mesh.controlPlane().announce(service);
    mesh.controlPlane().announce(WorkloadResource.captured(pod).endpointOf(service, PORT));
    try (var echo = TcpServer.echo(pod, PORT)) {
      Calls.answered(pod, service.address4());
      Calls.answered(pod, pod.at(PORT));
      Calls.answered(pod, new InetSocketAddress(InetAddress.getLoopbackAddress(), PORT));
      assertThat(echo.callers()).hasSize(3);
    }
  }

  @Test
  void podsWithOneIdentityEachHaveTheirOwnAddresses() throws IOException {
    var one = mesh.captured(mesh.a(), "twin");
    var other = mesh.captured(mesh.a(), "twin");
    var server = mesh.captured(mesh.b(), "twin-server");
    try (var echo = TcpServer.callerAddress(server, PORT)) {
      for (var client : List.of(one, other, one)) {
        try (var connection = TcpClient.connect(client, server.at(PORT))) {
          assertThat(new String(connection.receiveAll(), StandardCharsets.US_ASCII))
              .isEqualTo(client.ipv4().getHostAddress());
        }
      }
    }
  }

  private static TcpServer.Conversation says(String text) {
    return socket -> socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
  }
}
