package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.netns.DatagramRedirection.awaitCapture;
import static dev.ambit.ztunnel.netns.DatagramRedirection.carrying;
import static dev.ambit.ztunnel.testing.DnsMessages.TXT;
import static dev.ambit.ztunnel.testing.DnsMessages.query;
import static dev.ambit.ztunnel.testing.DnsMessages.reply;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/**
 * Programs that are known for UDP work through two ztunnels as without them, in both directions
 * between the nodes, over IPv4 and IPv6, to pods and to services; and the wire has HBONE alone.
 */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DatagramApplicationsIT {
  private static final int QUIC = 4433;

  private Mesh mesh;
  private Pod clientOnA;
  private Pod clientOnB;
  private Pod serverOnA;
  private Pod serverOnB;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  DatagramApplicationsIT() {}

  @BeforeAll
  void start() throws IOException {
    var ambit = ZtunnelProgram.ambitWithUdp();
    // Without the DNS proxy, questions to DNS servers are datagrams as others are.
    mesh =
        Mesh.start(ambit, ambit, Map.of("UDP_ENABLED", "true", "ISTIO_META_DNS_CAPTURE", "false"));
    clientOnA = mesh.captured(mesh.a(), "client-on-a");
    clientOnB = mesh.captured(mesh.b(), "client-on-b");
    serverOnA = mesh.captured(mesh.a(), "server-on-a");
    serverOnB = mesh.captured(mesh.b(), "server-on-b");
    for (var pod : List.of(clientOnA, clientOnB)) {
      mesh.controlPlane().announce(carrying(pod));
    }
    for (var pod : List.of(serverOnA, serverOnB)) {
      var resource = carrying(pod);
      for (boolean ipv6 : new boolean[] {false, true}) {
        for (int port : new int[] {QUIC, DnsServer.PORT}) {
          var service = service(pod, port, ipv6);
          mesh.controlPlane().announce(service);
          resource = resource.alsoEndpointOf(service, port);
        }
      }
      mesh.controlPlane().announce(resource);
    }
    for (var way : ways()) {
      for (int port : new int[] {QUIC, DnsServer.PORT}) {
        for (var address : addresses(way.server(), port)) {
          awaitCapture(way.client(), address.getAddress());
        }
      }
    }
  }

  private record Way(Pod client, Pod server) {}

  private List<Way> ways() {
    return List.of(new Way(clientOnA, serverOnB), new Way(clientOnB, serverOnA));
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  /** A service in front of {@code pod} alone, whose port is another than the pod's. */
  private static ServiceResource service(Pod pod, int port, boolean ipv6) throws IOException {
    int number = pod.node().index() * 10 + (port == QUIC ? 1 : 2);
    var address = (ipv6 ? "fd00:96::" : "10.96.9.") + number;
    return new ServiceResource(
        "shop",
        "%s-%d-%s".formatted(pod.name(), port, ipv6 ? "six" : "four"),
        new InetSocketAddress(InetAddress.getByName(address), port + 1000),
        port);
  }

  /** Where {@code port} of {@code pod} is reached. */
  private static List<InetSocketAddress> addresses(Pod pod, int port) throws IOException {
    return List.of(
        pod.at(port),
        pod.at6(port),
        service(pod, port, false).address4(),
        service(pod, port, true).address4());
  }

  /** Nothing but HBONE went between the pods. */
  private void assertOnlyTunnels(PacketCapture wire) {
    var addresses =
        Stream.of(clientOnA, clientOnB, serverOnA, serverOnB)
            .flatMap(pod -> Stream.of(pod.ipv4(), pod.ipv6()))
            .toList();
    var between =
        wire.packets().stream().filter(packet -> addresses.contains(packet.source())).toList();
    assertThat(between).isNotEmpty();
    assertThat(between)
        .allSatisfy(
            packet -> {
              assertThat(packet.isTcp()).isTrue();
              assertThat(List.of(packet.sourcePort(), packet.destinationPort())).contains(15008);
            });
  }

  @Test
  void quicConnectionsCarryTheirStreams() throws IOException {
    byte[] data = new byte[512 << 10];
    new Random(1).nextBytes(data);
    try (var wire = PacketCapture.betweenNodes(mesh.network())) {
      for (var way : ways()) {
        try (var server = new QuicEcho(way.server(), QUIC, mesh.authority())) {
          for (var address : addresses(way.server(), QUIC)) {
            byte[] answer = server.exchange(way.client(), address, data, Duration.ofSeconds(30));
            assertThat(Arrays.equals(answer, data)).as("what %s sent back", address).isTrue();
          }
        }
      }
      assertOnlyTunnels(wire);
    }
  }

  @Test
  void dnsServersAreAsked() throws IOException {
    try (var wire = PacketCapture.betweenNodes(mesh.network())) {
      for (var way : ways()) {
        var client = way.client();
        var server = way.server();
        for (int length : new int[] {10, 400, 4000}) {
          byte[] text = new byte[length];
          new Random(length).nextBytes(text);
          try (var dns =
              DnsServer.start(server, (question, overTcp) -> List.of(reply(question, text)))) {
            for (var address : addresses(server, DnsServer.PORT)) {
              byte[] question = query(length, "a.name.of.example", TXT);
              assertThat(DnsClient.udpPatiently(client, address, question))
                  .isEqualTo(reply(question, text));
            }
            assertThat(dns.asked())
                .allSatisfy(
                    asked ->
                        assertThat(asked.client().getAddress()).isIn(client.ipv4(), client.ipv6()));
          }
        }
      }
      assertOnlyTunnels(wire);
    }
  }
}
