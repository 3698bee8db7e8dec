package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.netns.DatagramRedirection.awaitCapture;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** How many flows there may be, at the node where they begin and at the one where they end. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DatagramLimitsIT {
  private static final int PORT = 7000;
  private static final int FEW = 5;

  private Mesh mesh;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  DatagramLimitsIT() {}

  @BeforeAll
  void start() {
    var ambit = ZtunnelProgram.ambitWithUdp();
    mesh = Mesh.withoutZtunnels(ambit, ambit, Map.of("UDP_ENABLED", "true"));
    mesh.a().startZtunnel(Map.of("UDP_ENABLED", "true", "UDP_FLOWS_PER_POD", "" + FEW));
    mesh.b().startZtunnel(Map.of("UDP_ENABLED", "true", "UDP_FLOWS_PER_SOURCE", "" + FEW));
    mesh.a().awaitReady();
    mesh.b().awaitReady();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private Pod captured(MeshNode node, String serviceAccount) {
    return DatagramRedirection.captured(mesh, node, serviceAccount);
  }

  private static double sum(MeshNode node, String name, Map<String, String> labels) {
    return node.ztunnel().metrics().sum(name, labels);
  }

  private void onlyAFewFlows(Pod client, Pod server) throws IOException {
    awaitCapture(client, server.ipv4());
    var sockets = new ArrayList<UdpClient>();
    try (var echo = UdpServer.echo(server, PORT)) {
      for (int i = 0; i < FEW; i++) {
        sockets.add(UdpClient.open(client));
        sockets.get(i).answered(server.at(PORT));
      }
      try (var more = UdpClient.open(client)) {
        assertThat(more.unanswered(server.at(PORT))).isTrue();
      }
      for (var socket : sockets) {
        socket.answered(server.at(PORT));
      }
    } finally {
      sockets.forEach(UdpClient::close);
    }
  }

  @Test
  void whatAPodOpensBeyondItsFlowsIsDroppedAndCounted() throws IOException {
    var labels = Map.of("reason", "limit");
    double before = sum(mesh.a(), "ambit_udp_dropped_datagrams_total", labels);
    onlyAFewFlows(captured(mesh.a(), "prolific"), captured(mesh.a(), "near"));
    assertThat(sum(mesh.a(), "ambit_udp_dropped_datagrams_total", labels)).isGreaterThan(before);
  }

  @Test
  void whatOneAddressOpensToAPodBeyondItsFlowsIsRefusedAndCounted() throws IOException {
    double before = sum(mesh.b(), "ambit_udp_flows_failed_total", Map.of());
    onlyAFewFlows(captured(mesh.b(), "insistent"), captured(mesh.b(), "far"));
    assertThat(sum(mesh.b(), "ambit_udp_flows_failed_total", Map.of())).isGreaterThan(before);
    mesh.b().ztunnel().awaitLog("the refusal", line -> line.text().contains("CONNECT with 429"));
  }

  @Test
  void whatIsNoneOfTheMeshsBusinessNeverComesToTheZtunnel() throws IOException {
    var client = captured(mesh.a(), "chatty");
    var server = captured(mesh.b(), "meant");
    awaitCapture(client, server.ipv4());
    byte[] data = {1};
    try (var socket = UdpClient.open(client)) {
      socket.socket().setBroadcast(true);
      var network = client.ipv4().getAddress();
      network[3] = (byte) 255;
      for (var to :
          List.of(
              new InetSocketAddress(InetAddress.getByName("224.0.0.251"), 5353),
              new InetSocketAddress(InetAddress.getByName("ff02::fb"), 5353),
              new InetSocketAddress(InetAddress.getByName("255.255.255.255"), 67),
              new InetSocketAddress(InetAddress.getByAddress(network), 137),
              new InetSocketAddress(InetAddress.getByName("169.254.169.254"), 123),
              new InetSocketAddress(InetAddress.getByName("192.0.2.1"), PORT),
              new InetSocketAddress(InetAddress.getByName("127.0.0.1"), PORT))) {
        try {
          socket.send(data, to);
        } catch (IOException e) {
          // There is no way there, as without a mesh.
        }
      }
      // What is its business comes after all these, and is all that comes.
      try (var echo = UdpServer.echo(server, PORT)) {
        socket.answered(server.at(PORT));
      }
    }
    assertThat(flows(Map.of("source_workload", client.name())))
        .isPositive()
        .isEqualTo(
            flows(Map.of("source_workload", client.name(), "destination_workload", server.name())));
  }

  /** Flows that there were or that could not be, and what never came to be one. */
  private double flows(Map<String, String> labels) {
    return sum(mesh.a(), "ambit_udp_flows_opened_total", labels)
        + sum(mesh.a(), "ambit_udp_flows_failed_total", labels)
        + sum(mesh.a(), "ambit_udp_dropped_datagrams_total", labels);
  }
}
