package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.testing.DnsMessages.A;
import static dev.ambit.ztunnel.testing.DnsMessages.AAAA;
import static dev.ambit.ztunnel.testing.DnsMessages.ANY;
import static dev.ambit.ztunnel.testing.DnsMessages.NOTIFY;
import static dev.ambit.ztunnel.testing.DnsMessages.SRV;
import static dev.ambit.ztunnel.testing.DnsMessages.TXT;
import static dev.ambit.ztunnel.testing.DnsMessages.UPDATE;
import static dev.ambit.ztunnel.testing.DnsMessages.query;
import static dev.ambit.ztunnel.testing.DnsMessages.read;
import static dev.ambit.ztunnel.testing.DnsMessages.reply;
import static dev.ambit.ztunnel.testing.DnsMessages.withEdns;
import static dev.ambit.ztunnel.testing.DnsMessages.withOpcode;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.testing.DnsMessages;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** A pod's DNS: the mesh's services are answered, and all else is as if there were no proxy. */
@Timeout(300)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DnsIT {
  private static final String CART = "cart.shop.svc.cluster.local";
  private static final String CART_ADDRESS = "10.96.0.77";
  private static final int LISTENER = 15053;

  private Mesh mesh;
  private Pod client;
  private Pod nameServer;
  private Pod otherServer;

  @BeforeAll
  void start() {
    mesh = Mesh.start(Map.of("TERMINATION_GRACE_PERIOD_SECONDS", "35"));
    mesh.controlPlane()
        .announce(
            new ServiceResource("shop", "cart", new InetSocketAddress(CART_ADDRESS, 80), 8080));
    client = captured();
    nameServer = mesh.unknown(mesh.b(), "names");
    // Hosts say so seldom that nobody listens that tests would have to wait for it.
    nameServer.host().sysctl("net/ipv4/icmp_ratelimit", "0");
    nameServer.host().sysctl("net/ipv6/icmp/ratelimit", "0");
    otherServer = mesh.uncaptured(mesh.b(), "other-names");
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private Pod captured() {
    var pod = mesh.captured(mesh.a(), "asking");
    PodRedirection.applyWithDns(pod);
    return pod;
  }

  /** Says something that only this question gets. */
  private static List<byte[]> echo(byte[] question, boolean overTcp) {
    return List.of(reply(question, "said by the server".getBytes(StandardCharsets.US_ASCII)));
  }

  private List<InetSocketAddress> addressesOf(Pod server) {
    return List.of(server.at(DnsServer.PORT), server.at6(DnsServer.PORT));
  }

  @Test
  void namesOfTheMeshAreAnsweredWithoutAServer() throws Exception {
    for (var server : addressesOf(nameServer)) {
      for (var message :
          List.of(
              DnsClient.udp(client, server, query(7, CART, A)),
              DnsClient.tcp(client, server, query(7, CART, A)))) {
        var answer = read(message);
        assertThat(answer.id()).isEqualTo(7);
        assertThat(answer.code()).isZero();
        assertThat(answer.authoritative()).isTrue();
        assertThat(answer.answers()).containsExactly(CART + " A " + CART_ADDRESS);
      }
      var none = read(DnsClient.udp(client, server, query(8, CART, AAAA)));
      assertThat(none.code()).as("the name exists").isZero();
      assertThat(none.answers()).isEmpty();
      var searched = CART + ".shop.svc.cluster.local";
      assertThat(read(DnsClient.udp(client, server, query(9, searched, A))).answers())
          .containsExactly(searched + " CNAME " + CART, CART + " A " + CART_ADDRESS);
    }
  }

  @Test
  void aQuestionToTheProxyItselfIsAnswered() throws Exception {
    var proxy = new InetSocketAddress("127.0.0.1", LISTENER);
    assertThat(read(DnsClient.udp(client, proxy, query(1, CART, A))).answers()).hasSize(1);
    assertThat(read(DnsClient.tcp(client, proxy, query(1, CART, A))).answers()).hasSize(1);
  }

  @Test
  void everythingElseReachesTheServerThatThePodAskedUnchanged() throws Exception {
    byte[] update = new byte[900];
    new Random(5).nextBytes(update);
    System.arraycopy(withOpcode(query(23, "zone.example", 6), UPDATE), 0, update, 0, 30);
    var questions =
        List.of(
            query(11, "www.example.com", A),
            query(12, "WwW.eXample.COM", AAAA),
            query(13, CART, TXT),
            query(14, CART, SRV),
            query(15, CART, ANY),
            query(16, CART, 65_280),
            query(17, "version.bind", TXT, 3),
            withEdns(query(18, "www.example.com", A), 4096),
            withOpcode(query(19, CART, A), NOTIFY),
            withOpcode(query(20, CART, A), 2),
            withOpcode(query(21, CART, A), 15),
            withOpcode(query(22, "zone.example", 6), UPDATE),
            update);
    try (var server = DnsServer.start(nameServer, DnsIT::echo)) {
      for (var address : addressesOf(nameServer)) {
        for (byte[] question : questions) {
          server.asked().clear();
          byte[] expected = echo(question, false).getFirst();
          assertThat(DnsClient.udp(client, address, question)).isEqualTo(expected);
          assertThat(DnsClient.tcp(client, address, question)).isEqualTo(expected);
          assertThat(server.asked())
              .hasSize(2)
              .allSatisfy(asked -> assertThat(asked.question()).isEqualTo(question))
              .allSatisfy(
                  asked ->
                      assertThat(asked.client().getAddress())
                          .as("the pod's own address")
                          .isIn(client.ipv4(), client.ipv6()));
        }
      }
    }
  }

  @Test
  void oneSocketReachesEachOfTwoServers() throws Exception {
    DnsServer.Script first = (question, tcp) -> List.of(reply(question, (byte) 1));
    DnsServer.Script second = (question, tcp) -> List.of(reply(question, (byte) 2));
    try (var a = DnsServer.start(nameServer, first);
        var b = DnsServer.start(otherServer, second);
        var socket = DnsClient.datagrams(client)) {
      for (int id = 1; id < 50; id++) {
        byte[] question = query(id, "www.example.com", A);
        assertThat(socket.ask(question, nameServer.at(53))).isEqualTo(reply(question, (byte) 1));
        assertThat(socket.ask(question, otherServer.at(53))).isEqualTo(reply(question, (byte) 2));
      }
    }
  }

  @Test
  void largeAndTruncatedAnswersPassAndTcpTakesOver() throws Exception {
    byte[] large = new byte[4000];
    new Random(1).nextBytes(large);
    byte[] larger = new byte[60_000];
    new Random(2).nextBytes(larger);
    DnsServer.Script script =
        (question, tcp) ->
            List.of(
                tcp
                    ? reply(question, larger)
                    : question.length > 40
                        ? reply(question, large)
                        : DnsMessages.truncated(question));
    try (var server = DnsServer.start(nameServer, script)) {
      byte[] withEdns = withEdns(query(1, "large.example.com", TXT), 4096);
      byte[] without = query(2, "large.example.com", TXT);
      for (var address : addressesOf(nameServer)) {
        assertThat(DnsClient.udp(client, address, withEdns)).isEqualTo(reply(withEdns, large));
        assertThat(DnsClient.udp(client, address, without))
            .isEqualTo(DnsMessages.truncated(without));
        assertThat(DnsClient.tcp(client, address, without)).isEqualTo(reply(without, larger));
      }
    }
  }

  @Test
  void manyQuestionsOnOneConnectionAreEachAnswered() throws Exception {
    try (var server = DnsServer.start(nameServer, DnsIT::echo);
        var connection = TcpClient.connect(client, nameServer.at(53))) {
      var expected = new ArrayList<Integer>();
      for (int id = 1; id <= 200; id++) {
        DnsClient.write(connection.socket(), query(id, id % 2 == 0 ? CART : "www.example.com", A));
        expected.add(id);
      }
      var answered = new ArrayList<Integer>();
      for (int i = 0; i < 200; i++) {
        byte[] answer = DnsClient.read(connection.socket());
        int id = DnsMessages.id(answer);
        answered.add(id);
        if (id % 2 == 0) {
          assertThat(read(answer).answers()).containsExactly(CART + " A " + CART_ADDRESS);
        } else {
          assertThat(answer).isEqualTo(echo(query(id, "www.example.com", A), true).getFirst());
        }
      }
      assertThat(answered).containsExactlyInAnyOrderElementsOf(expected);
      assertThat(server.asked()).hasSize(100);
      connection.finishSending();
      assertThat(connection.receiveAll()).isEmpty();
    }
  }

  @Test
  void whereTheServerIsAwayThePodHearsSoAndTheMeshStillAnswers() throws Exception {
    for (var address : addressesOf(nameServer)) {
      var question = query(3, "www.example.com", A);
      for (var message :
          List.of(
              DnsClient.udpPatiently(client, address, question),
              DnsClient.tcp(client, address, question))) {
        var answer = read(message);
        assertThat(answer.id()).isEqualTo(3);
        assertThat(answer.code()).isEqualTo(DnsMessages.SERVER_FAILURE);
      }
      assertThat(read(DnsClient.udp(client, address, query(4, CART, A))).answers()).hasSize(1);
    }
  }

  @Test
  void aFloodOfQuestionsThatNobodyAnswersHoldsNothingUp() throws Exception {
    DnsServer.Script silent = (question, tcp) -> List.of();
    long before = mesh.a().ztunnel().openDescriptors();
    try (var server = DnsServer.start(nameServer, silent)) {
      for (int i = 0; i < 3000; i++) {
        try (var socket = DnsClient.datagrams(client)) {
          socket.send(query(i, "www.example.com", A), nameServer.at(53));
        }
      }
      // A resolver asks again where a datagram was lost.
      assertThat(
              read(DnsClient.udpPatiently(client, nameServer.at(53), query(4, CART, A))).answers())
          .hasSize(1);
      assertThat(mesh.a().ztunnel().openDescriptors()).isLessThan(before + 1200);
    }
    await("given up")
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(mesh.a().ztunnel().openDescriptors()).isLessThanOrEqualTo(before + 20));
  }

  @Test
  void onlyAnswersToWhatWasAskedComeBack() throws Exception {
    DnsServer.Script script =
        (question, tcp) -> {
          byte[] otherId = reply(question, (byte) 1);
          otherId[0] ^= 1;
          byte[] otherName = reply(question, (byte) 2);
          otherName[13] ^= 1;
          byte[] noAnswer = question.clone();
          return List.of(otherId, otherName, noAnswer, reply(question, (byte) 3));
        };
    try (var server = DnsServer.start(nameServer, script);
        var socket = DnsClient.datagrams(client)) {
      byte[] question = query(0x1234, "www.example.com", A);
      assertThat(socket.ask(question, nameServer.at(53))).isEqualTo(reply(question, (byte) 3));
      assertThatThrownBy(() -> socket.receive(Duration.ofMillis(300)))
          .isInstanceOf(SocketTimeoutException.class);
    }
  }

  @Test
  void eachSocketOfThePodHasAPortOfItsOwnThatIsNotThePods() throws Exception {
    try (var server = DnsServer.start(nameServer, DnsIT::echo)) {
      for (int i = 0; i < 20; i++) {
        try (var socket = DnsClient.datagrams(client)) {
          socket.ask(query(i, "www.example.com", A), nameServer.at(53));
        }
      }
      assertThat(server.asked().stream().map(asked -> asked.client().getPort()).distinct())
          .hasSizeGreaterThan(15);
    }
  }

  @Test
  void whatIsNotDnsIsCarriedToo() throws Exception {
    DnsServer.Script back = (question, tcp) -> List.of(question);
    try (var server = DnsServer.start(nameServer, back);
        var socket = DnsClient.datagrams(client)) {
      for (var text : List.of("hi", "this is not a message of DNS at all, not at all")) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        assertThat(socket.ask(bytes, nameServer.at(53))).isEqualTo(bytes);
      }
    }
    try (var speaksFirst =
            TcpServer.start(
                otherServer,
                53,
                peer -> {
                  peer.getOutputStream().write("220 ready".getBytes(StandardCharsets.US_ASCII));
                  peer.getInputStream().transferTo(peer.getOutputStream());
                });
        var connection = TcpClient.connect(client, otherServer.at(53))) {
      assertThat(connection.receive(9)).isEqualTo("220 ready");
      var large = "GET / HTTP/1.1\r\n".repeat(20_000);
      var sender = Thread.ofPlatform().start(() -> sendAll(connection, large));
      assertThat(connection.receive(large.length())).isEqualTo(large);
      sender.join();
    }
  }

  private static void sendAll(TcpClient connection, String text) {
    try {
      connection.send(text);
    } catch (IOException e) {
      // The receiving side of this connection fails with it.
    }
  }

  @Test
  void connectionsToAServerInTheMeshGoThroughItsTunnel() throws Exception {
    var inMesh = mesh.captured(mesh.b(), "names-in-mesh");
    try (var server = DnsServer.start(inMesh, DnsIT::echo)) {
      byte[] question = query(31, "www.example.com", A);
      int from = mesh.b().ztunnel().logSize();
      assertThat(DnsClient.tcp(client, inMesh.at(53), question))
          .isEqualTo(echo(question, true).getFirst());
      mesh.b()
          .ztunnel()
          .awaitLog(
              "the tunnelled connection",
              from,
              line -> line.text().contains("dst.hbone_addr=" + inMesh.ipv4().getHostAddress()));
      assertThat(DnsClient.udp(client, inMesh.at(53), question))
          .isEqualTo(echo(question, true).getFirst());
    }
  }

  @Test
  void aSocketIsRedirectedFromItsNextQuestionOnAndNoLongerAtOnce() throws Exception {
    var pod = mesh.captured(mesh.a(), "asking");
    byte[] question = query(5, "www.example.com", A);
    try (var server = DnsServer.start(nameServer, DnsIT::echo);
        var socket = DnsClient.datagrams(pod)) {
      for (var step : List.of("plain", "proxied", "plain", "proxied", "draining")) {
        switch (step) {
          case "plain" -> PodRedirection.apply(pod);
          case "proxied" -> PodRedirection.applyWithDns(pod);
          default -> PodRedirection.stop(pod);
        }
        server.asked().clear();
        assertThat(socket.ask(question, nameServer.at(53)))
            .isEqualTo(echo(question, false).getFirst());
        int port = server.asked().getFirst().client().getPort();
        if (step.equals("proxied")) {
          assertThat(port).as(step).isNotEqualTo(socket.port());
          assertThat(read(socket.ask(query(6, CART, A), nameServer.at(53))).answers()).hasSize(1);
        } else {
          assertThat(port).as(step).isEqualTo(socket.port());
        }
      }
    }
  }

  @Test
  void anAnswerThatIsUnderWayWhenThePodLeavesArrives() throws Exception {
    var pod = captured();
    var release = new java.util.concurrent.CountDownLatch(1);
    DnsServer.Script late =
        (question, tcp) -> {
          try {
            release.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return echo(question, tcp);
        };
    try (var server = DnsServer.start(nameServer, late);
        var socket = DnsClient.datagrams(pod)) {
      byte[] question = query(5, "www.example.com", A);
      socket.send(question, nameServer.at(53));
      await("asked").atMost(Patience.MIDDLE).until(() -> !server.asked().isEmpty());
      mesh.a().agent().release(pod, Duration.ofSeconds(30));
      release.countDown();
      var packet = socket.receive(Patience.MIDDLE);
      assertThat(packet.getSocketAddress()).isEqualTo(nameServer.at(53));
      assertThat(Arrays.copyOf(packet.getData(), packet.getLength()))
          .isEqualTo(echo(question, false).getFirst());
    } finally {
      release.countDown();
    }
    await("nothing listens any more")
        .atMost(Patience.LONG)
        .until(() -> PodRedirection.socketsInUse(pod) == 0);
  }

  @Test
  void aSecondZtunnelTakesOverWithoutALostQuestion() throws Exception {
    var first = mesh.a().ztunnel();
    try (var server = DnsServer.start(nameServer, DnsIT::echo);
        var open = TcpClient.connect(client, nameServer.at(53))) {
      var asking = new AskingOn(client, nameServer.at(53));
      mesh.a().startZtunnel();
      mesh.a().awaitReady();
      first.terminate();
      byte[] question = query(9, "www.example.com", A);
      DnsClient.write(open.socket(), question);
      first.awaitExit(Patience.LONG);
      assertThat(asking.end()).as("lost questions").isZero();
      for (var address : addressesOf(nameServer)) {
        assertThat(DnsClient.tcp(client, address, question))
            .isEqualTo(echo(question, true).getFirst());
      }
    }
  }

  /** Asks all the time for a name of the mesh and for another one. */
  private static final class AskingOn {
    private final java.util.concurrent.atomic.AtomicInteger lost =
        new java.util.concurrent.atomic.AtomicInteger();
    private final Thread thread;
    private volatile boolean ended;

    AskingOn(Pod pod, InetSocketAddress server) {
      thread =
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int id = 0; !ended; id = (id + 1) & 0xffff) {
                      try {
                        DnsClient.udp(pod, server, query(id, id % 2 == 0 ? CART : "x.org", A));
                      } catch (IOException e) {
                        lost.incrementAndGet();
                      }
                    }
                  });
    }

    int end() throws InterruptedException {
      ended = true;
      thread.join();
      return lost.get();
    }
  }

  @Test
  void requestsAreCounted() throws Exception {
    var labels =
        Map.of(
            "request_query_type", "naptr",
            "request_protocol", "udp",
            "source_canonical_service", client.name(),
            "source_canonical_revision", "latest");
    try (var server = DnsServer.start(nameServer, DnsIT::echo)) {
      DnsClient.udp(client, nameServer.at(53), query(1, "www.example.com", 35));
    }
    try (var socket = DnsClient.datagrams(client)) {
      socket.send(query(2, "www.example.com", 35), nameServer.at(53));
    }
    await("metrics")
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> {
              var metrics = mesh.a().ztunnel().metrics();
              assertThat(metrics.sum("istio_dns_requests_total", labels)).isEqualTo(2);
              assertThat(metrics.sum("istio_dns_upstream_requests_total", labels)).isEqualTo(2);
              assertThat(metrics.sum("istio_dns_upstream_failures_total", labels)).isEqualTo(1);
              assertThat(metrics.sum("istio_dns_upstream_request_duration_seconds_count", labels))
                  .isEqualTo(2);
              assertThat(
                      metrics.named("istio_dns_upstream_request_duration_seconds_bucket").stream()
                          .map(sample -> sample.labels().get("le"))
                          .distinct())
                  .containsExactlyInAnyOrder(
                      "0.0005", "0.001", "0.01", "0.1", "1.0", "5.0", "+Inf");
            });
  }
}
