package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Callers that ask for what they must not have, or do not keep to the protocol. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HostileCallerIT {
  private static final int PORT = 8080;
  private static final List<Integer> OWN_PORTS = List.of(15001, 15006, 15008);

  private Mesh mesh;
  private Pod caller;
  private Pod server;
  private TcpServer echo;
  private String target;

  @BeforeAll
  void start() throws IOException {
    mesh = Mesh.start();
    caller = mesh.uncaptured(mesh.a(), "caller");
    server = mesh.captured(mesh.b(), "server");
    target = server.ipv4().getHostAddress() + ":" + PORT;
    echo = TcpServer.echo(server, PORT);
  }

  @AfterAll
  void stop() throws IOException {
    if (echo != null) {
      echo.close();
    }
    if (mesh != null) {
      mesh.close();
    }
  }

  @BeforeEach
  void forgetCallers() {
    echo.callers().clear();
  }

  /** Whatever a caller did, others are served afterwards. */
  @AfterEach
  void othersAreServed() {
    Calls.answered(caller, server.at(PORT));
  }

  private HboneClient hbone(String identity) throws IOException {
    return HboneClient.connect(
        caller.host(), server.at(15008), mesh.authority(), mesh.authority().workload(identity));
  }

  private HboneClient hbone() throws IOException {
    return hbone(caller.identity());
  }

  @Test
  void aTunnelShowsThePodsIdentityAndCarriesBytes() throws IOException {
    try (var hbone = hbone()) {
      assertThat(hbone.peerIdentity()).isEqualTo(server.identity());
      assertThat(hbone.connect(target)).isEqualTo("200");
      hbone.send("by hand");
      assertThat(hbone.receive(7)).isEqualTo("by hand");
    }
    assertThat(echo.callers())
        .extracting(InetSocketAddress::getAddress)
        .containsExactly(caller.ipv4());
  }

  @Test
  void anIpv6AuthorityIsUnderstood() throws IOException {
    try (var hbone =
        HboneClient.connect(
            caller.host(),
            server.at6(15008),
            mesh.authority(),
            mesh.authority().workload(caller.identity()))) {
      assertThat(hbone.connect("[" + server.ipv6().getHostAddress() + "]:" + PORT))
          .isEqualTo("200");
    }
  }

  @Test
  void anAuthorityOfAnotherPodIsAnsweredWith400() throws IOException {
    var other = mesh.captured(mesh.b(), "other");
    try (var otherEcho = TcpServer.echo(other, PORT);
        var hbone = hbone()) {
      assertThat(hbone.connect(other.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("400");
      assertThat(hbone.connect(server.ipv6().getHostAddress() + ":" + PORT)).isEqualTo("400");
      assertThat(hbone.connect("127.0.0.1:" + PORT)).isEqualTo("400");
      assertThat(otherEcho.callers()).isEmpty();
    }
    assertThat(echo.callers()).isEmpty();
  }

  @Test
  void whatIsNoConnectOrNoAuthorityIsAnsweredWith400() throws IOException {
    try (var hbone = hbone()) {
      assertThat(hbone.request("GET", target, Map.of())).isEqualTo("400");
      assertThat(hbone.request("POST", target, Map.of())).isEqualTo("400");
      for (String bad :
          List.of("nonsense", server.ipv4().getHostAddress(), ":8080", target + "9999", "")) {
        assertThat(hbone.connect(bad)).as("answer to authority '%s'", bad).isIn("400", "reset");
      }
      assertThat(hbone.connect(target)).isEqualTo("200");
    }
  }

  /** Both are extended CONNECT; this ztunnel has not announced that it knows any. */
  @Test
  void aProtocolThatTheZtunnelDoesNotCarryIsAnsweredWith501() throws IOException {
    try (var hbone = hbone()) {
      for (String protocol : List.of("connect-udp", "websocket")) {
        assertThat(
                hbone.request(
                    "CONNECT",
                    target,
                    Map.of(
                        ":protocol",
                        protocol,
                        ":scheme",
                        "https",
                        ":path",
                        "/.well-known/masque/udp/%s/%d/"
                            .formatted(server.ipv4().getHostAddress(), PORT))))
            .as(protocol)
            .isEqualTo("501");
      }
      assertThat(hbone.connect(target)).isEqualTo("200");
    }
    assertThat(echo.callers()).hasSize(1);
  }

  @Test
  void anUnknownHostNameOrARefusedPortIsAnsweredWith503() throws IOException {
    try (var hbone = hbone()) {
      assertThat(hbone.connect("nobody.shop.svc.cluster.local:80")).isEqualTo("503");
      assertThat(hbone.connect(server.ipv4().getHostAddress() + ":9")).isEqualTo("503");
    }
  }

  @Test
  void headersDoNotChangeWhoOrWhereTheCallerIs() throws IOException {
    var other = mesh.uncaptured(mesh.a(), "other-caller");
    var policy =
        Policies.of(
                "shop",
                "only-other",
                dev.ambit.protocol.security.Action.ALLOW,
                Policies.source(other.ipv4()))
            .build();
    mesh.controlPlane().enforce(policy);
    mesh.controlPlane().announce(WorkloadResource.captured(server).selectedBy("shop/only-other"));
    try (var hbone = hbone()) {
      var claims =
          Map.of(
              "forwarded",
              "for=\"" + other.ipv4().getHostAddress() + ":1234\"",
              "x-forwarded-for",
              other.ipv4().getHostAddress(),
              "x-forwarded-network",
              "elsewhere",
              "baggage",
              "k8s.namespace.name=shop,k8s.pod.name=" + other.name());
      assertThat(hbone.request("CONNECT", target, claims)).isEqualTo("401");
    } finally {
      mesh.controlPlane().announce(WorkloadResource.captured(server));
    }
  }

  @Test
  void theZtunnelsOwnPortsCannotBeReachedThroughATunnel() throws IOException {
    try (var hbone = hbone()) {
      for (int port : OWN_PORTS) {
        assertThat(hbone.connect(server.ipv4().getHostAddress() + ":" + port))
            .as("answer to port %d", port)
            .isEqualTo("503");
      }
    }
  }

  @Test
  void anotherTrustDomainIsRejected() throws IOException {
    rejected(mesh.authority().workload("spiffe://elsewhere.example/ns/shop/sa/caller"));
  }

  @Test
  void anotherAuthoritysCertificateIsRejected() throws IOException {
    rejected(new TestAuthority().workload(caller.identity()));
  }

  @Test
  void aCertificateWithoutAnIdentityIsRejected() throws IOException {
    rejected(mesh.authority().server(caller.ipv4().getHostAddress()));
    rejected(mesh.authority().workload("https://cluster.local/ns/shop/sa/caller"));
    rejected(mesh.authority().workload("spiffe://cluster.local/elsewhere"));
  }

  private void rejected(Credentials credentials) throws IOException {
    try (var hbone =
        HboneClient.connect(caller.host(), server.at(15008), mesh.authority(), credentials)) {
      assertThat(hbone.connect(target)).isIn("closed", "reset");
    } catch (SocketTimeoutException e) {
      fail("the caller is left hanging", e);
    } catch (IOException handshakeFailed) {
      // The handshake may fail already.
    }
    assertThat(echo.callers()).isEmpty();
  }

  @Test
  void plainBytesToTheTunnelPortAreCutOff() throws IOException {
    var random = new byte[4096];
    new Random(7).nextBytes(random);
    for (byte[] bytes :
        List.of(
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII),
            random)) {
      try (var connection = TcpClient.connect(caller, server.at(15008))) {
        connection.send(bytes);
        connection.awaitEnd();
      }
    }
    assertThat(echo.callers()).isEmpty();
  }

  @Test
  void brokenFramesEndTheConnectionOnly() throws IOException {
    var credentials = mesh.authority().workload(caller.identity());
    List<int[]> frames =
        List.of(
            // DATA on stream 0, on a stream never opened, HEADERS on an even stream, a PING of 3
            // bytes, a WINDOW_UPDATE of 3 bytes, SETTINGS of 5 bytes, CONTINUATION out of nowhere.
            new int[] {0, 0, 0, 4},
            new int[] {0, 0, 99, 4},
            new int[] {1, 4, 2, 4},
            new int[] {6, 0, 0, 3},
            new int[] {8, 0, 0, 3},
            new int[] {4, 0, 0, 5},
            new int[] {9, 4, 1, 4});
    for (int[] frame : frames) {
      try (var hbone =
          HboneClient.connect(caller.host(), server.at(15008), mesh.authority(), credentials)) {
        hbone.frame(frame[0], frame[1], frame[2], new byte[frame[3]]);
        hbone.awaitEnd();
      }
    }
    assertThat(echo.callers()).isEmpty();
  }

  @Test
  void theZtunnelsOwnPortsDoNotLoop() throws IOException {
    var client = mesh.captured(mesh.a(), "insider");
    var service =
        new ServiceResource("shop", "trap", new InetSocketAddress("10.96.0.66", 15001), 15001);
    mesh.controlPlane().announce(service);
    mesh.controlPlane().announce(WorkloadResource.captured(server).endpointOf(service, 15001));
    Calls.answered(client, server.at(PORT));
    long before = mesh.a().ztunnel().openDescriptors() + mesh.b().ztunnel().openDescriptors();

    var probes = new ArrayList<InetSocketAddress>();
    for (int port : OWN_PORTS) {
      probes.add(server.at(port));
      probes.add(server.at6(port));
      probes.add(client.at(port));
      probes.add(client.at6(port));
      probes.add(new InetSocketAddress("127.0.0.1", port));
      probes.add(new InetSocketAddress("::1", port));
    }
    probes.add(service.address4());
    for (var probe : probes) {
      for (var from : List.of(client, caller, server)) {
        probe(from, probe);
      }
    }

    await("descriptors are closed again")
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        mesh.a().ztunnel().openDescriptors() + mesh.b().ztunnel().openDescriptors())
                    .isLessThanOrEqualTo(before + 8));
    Calls.answered(client, server.at(PORT));
    mesh.controlPlane().announce(WorkloadResource.captured(server));
  }

  /** The ports of a ztunnel, and of nobody, at every address where somebody might try them. */
  @Test
  void noPortOfTheZtunnelIsReachedFromPods() throws IOException {
    var client = mesh.captured(mesh.a(), "prober");
    Calls.answered(client, server.at(PORT));
    var ztunnel = mesh.a().ztunnel().pod();
    var localhost = InetAddress.ofLiteral("127.0.0.1");
    for (int port : List.of(15001, 15006, 15008, 15053, 15080, 15000, 15020, 15021)) {
      for (var address : List.of(ztunnel.ipv4(), ztunnel.ipv6(), client.ipv4(), localhost)) {
        boolean served =
            (port == 15020 || port == 15021)
                && (address.equals(ztunnel.ipv4()) || address.equals(ztunnel.ipv6()));
        for (var from : List.of(client, caller)) {
          var destination = new InetSocketAddress(address, port);
          if (served) {
            assertThat(nonsense(from, destination))
                .as("answer of %s to %s", destination, from)
                .matches("(?s)HTTP/1\\.[01] 4.*");
          } else {
            assertThat(nonsense(from, destination))
                .as("answer of %s to %s", destination, from)
                .isEmpty();
          }
        }
      }
    }
    Calls.answered(client, server.at(PORT));
  }

  /** What is answered to what is no request; empty where the connection is refused or cut off. */
  private static String nonsense(Pod from, InetSocketAddress destination) {
    try (var connection = TcpClient.connect(from, destination)) {
      connection.send("hello world\r\n\r\n");
      connection.finishSending();
      return new String(connection.receiveAll(), StandardCharsets.ISO_8859_1);
    } catch (SocketTimeoutException e) {
      return fail("%s is left hanging by %s".formatted(from, destination), e);
    } catch (IOException refused) {
      return "";
    }
  }

  private static void probe(Pod from, InetSocketAddress destination) {
    try (var connection = TcpClient.connect(from, destination)) {
      connection.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      connection.finishSending();
      var answer = new String(connection.receiveAll(), StandardCharsets.ISO_8859_1);
      assertThat(answer).as("answer of %s to %s", destination, from).doesNotContain("HTTP/1.1");
    } catch (SocketTimeoutException e) {
      fail("%s is left hanging by %s".formatted(from, destination), e);
    } catch (IOException refused) {
      // This is how it should be.
    }
  }

  @Test
  void aCallerThatNeverSpeaksIsCutOff() throws IOException {
    try (var connection = TcpClient.connect(caller, server.at(15008))) {
      connection.socket().setSoTimeout((int) Patience.LONG.toMillis());
      connection.awaitEnd();
    }
  }
}
