package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.netns.DatagramRedirection.awaitCapture;
import static dev.ambit.ztunnel.netns.DatagramRedirection.carrying;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Node a carries UDP, node b does not: its datagrams go plain where policies allow it. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DatagramSupportIT {
  private static final int PORT = 7000;
  private static final Map<String, String> CARRYING =
      Map.of("UDP_ENABLED", "true", "UDP_IDLE_TIMEOUT", "2s", "UDP_UNREPLIED_TIMEOUT", "2s");

  private Mesh mesh;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  DatagramSupportIT() {}

  @BeforeAll
  void start() {
    mesh = Mesh.withoutZtunnels(ZtunnelProgram.ambitWithUdp(), ZtunnelProgram.ambit(), Map.of());
    mesh.a().startZtunnel(CARRYING);
    mesh.b().startZtunnel();
    mesh.a().awaitReady();
    mesh.b().awaitReady();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void whereTheOtherZtunnelCarriesNoneItIsFoundOutAndPoliciesDecide() throws IOException {
    var client = mesh.captured(mesh.a(), "client");
    var server = mesh.captured(mesh.b(), "server");
    mesh.controlPlane().announce(carrying(client), carrying(server));
    awaitCapture(client, server.ipv4());
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = UdpServer.echo(server, PORT)) {
      try (var socket = UdpClient.open(client)) {
        socket.answered(server.at(PORT), marker.getBytes(StandardCharsets.UTF_8));
      }
      assertThat(wire.shows(marker)).isTrue();
      assertThat(mesh.a().ztunnel().metrics().sum("ambit_udp_unsupported_total", Map.of()))
          .isPositive();

      mesh.controlPlane().enforce(Policies.strict());
      mesh.controlPlane()
          .announce(carrying(server).selectedBy(FakeControlPlane.name(Policies.strict())));
      mesh.controlPlane().awaitSettled();
      int before = echo.callers().size();
      try (var socket = UdpClient.open(client)) {
        assertThat(socket.unanswered(server.at(PORT))).isTrue();
      }
      mesh.a()
          .ztunnel()
          .awaitLog(
              "the refusal",
              line ->
                  line.text().contains("UDP flow failed")
                      && line.text().contains("the destination's ztunnel carries no UDP")
                      && line.has("dst.workload", server.name()));
      assertThat(echo.callers()).hasSize(before);
    }
  }

  @Test
  void aFlowThatIsSilentEndsAndBeginsAgainUnseen() throws IOException {
    var client = mesh.captured(mesh.a(), "seldom-client");
    var server = mesh.captured(mesh.a(), "seldom-server");
    mesh.controlPlane().announce(carrying(client), carrying(server));
    awaitCapture(client, server.ipv4());
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      for (int i = 0; i < 2; i++) {
        socket.answered(server.at(PORT));
        await("no flow is left")
            .atMost(Patience.LONG)
            .until(() -> mesh.a().ztunnel().metrics().sum("ambit_udp_flows_open", Map.of()) == 0);
      }
      assertThat(Set.copyOf(echo.callers()))
          .containsExactly(new InetSocketAddress(client.ipv4(), socket.port()));
    }
  }

  @Test
  void aZtunnelThatCarriesNoneTakesOutTheRulesOfOneThatDid() throws IOException {
    var client = mesh.captured(mesh.a(), "switching-client");
    var server = mesh.captured(mesh.b(), "switching-server");
    mesh.controlPlane().announce(carrying(client), carrying(server));
    awaitCapture(client, server.ipv4());
    var old = mesh.a().ztunnel();
    mesh.a().startZtunnel(Map.of("UDP_ENABLED", "false"));
    mesh.a().awaitReady();
    old.terminate();
    old.awaitExit(Patience.LONG);
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      assertThat(echo.callers().getFirst().getPort()).isEqualTo(socket.port());
      assertThat(client.host().call(() -> dev.ambit.linux.Nftables.run("list ruleset")))
          .doesNotContain("tproxy");
      assertThat(
              client.host().call(() -> dev.ambit.linux.Nftables.run("list table inet ambit_udp")))
          .as("only what lets flows go on plain")
          .containsOnlyOnce("chain");
    } finally {
      var without = mesh.a().ztunnel();
      mesh.a().startZtunnel(CARRYING);
      mesh.a().awaitReady();
      without.terminate();
      without.awaitExit(Patience.LONG);
    }
  }

  @Test
  void whereTheControlPlaneSaysSoDatagramsAreLeftAloneUnlessPoliciesForbidThem()
      throws IOException {
    var client = mesh.captured(mesh.a(), "other-client");
    var open = mesh.captured(mesh.b(), "open");
    var strict = mesh.captured(mesh.b(), "strict");
    mesh.controlPlane().enforce(Policies.strict());
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(strict).selectedBy(FakeControlPlane.name(Policies.strict())));
    awaitCapture(client, strict.ipv4());
    try (var echo = UdpServer.echo(open, PORT);
        var refused = UdpServer.echo(strict, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(open.at(PORT));
      assertThat(echo.callers().getFirst().getPort()).isEqualTo(socket.port());
      assertThat(socket.unanswered(strict.at(PORT))).isTrue();
      assertThat(refused.callers()).isEmpty();
    }
  }
}
