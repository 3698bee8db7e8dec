package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.netns.DatagramRedirection.awaitCapture;
import static dev.ambit.ztunnel.netns.DatagramRedirection.carrying;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/** UDP through two ztunnels is as without them, save that it is encrypted, known and judged. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DatagramIT {
  private static final int PORT = 7000;
  private static final Duration SILENCE = Duration.ofMillis(700);

  private Mesh mesh;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  DatagramIT() {}

  @BeforeAll
  void start() {
    var ambit = ZtunnelProgram.ambitWithUdp();
    mesh = Mesh.start(ambit, ambit, Map.of("UDP_ENABLED", "true"));
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

  private void protect(Pod server, Authorization... policies) {
    mesh.controlPlane().enforce(policies);
    var names = java.util.Arrays.stream(policies).map(FakeControlPlane::name);
    mesh.controlPlane().announce(carrying(server).selectedBy(names.toArray(String[]::new)));
  }

  private static void silent(Pod from, InetSocketAddress to) throws IOException {
    try (var client = UdpClient.open(from)) {
      assertThat(client.unanswered(to)).isTrue();
    }
  }

  @Test
  void everySizeComesBackFromWhereItWasSentAndNothingShowsOnTheWire() throws IOException {
    var client = captured(mesh.a(), "client");
    var server = captured(mesh.b(), "server");
    awaitCapture(client, server.ipv4());
    awaitCapture(client, server.ipv6());
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      var random = new Random(1);
      for (var to : List.of(server.at(PORT), server.at6(PORT))) {
        for (int size : new int[] {0, 1, 100, 1400, 1472, 1473, 9000, 40_000, 65_507}) {
          byte[] data =
              new byte[to.getAddress().equals(server.ipv6()) ? Math.min(size, 65_000) : size];
          random.nextBytes(data);
          socket.answered(to, data);
        }
      }
      socket.answered(server.at(PORT), marker.getBytes(java.nio.charset.StandardCharsets.UTF_8));

      assertThat(Set.copyOf(echo.callers()))
          .containsExactlyInAnyOrder(
              new InetSocketAddress(client.ipv4(), socket.port()),
              new InetSocketAddress(client.ipv6(), socket.port()));
      assertThat(wire.shows(marker)).isFalse();
      assertThat(wire.packets())
          .filteredOn(packet -> packet.transport() == CapturedPacket.Transport.UDP)
          .filteredOn(
              packet ->
                  packet.destinationPort() == PORT
                      || packet.sourcePort() == PORT
                      || packet.source().equals(client.ipv4())
                      || packet.source().equals(server.ipv4()))
          .isEmpty();
      assertThat(wire.portsOpened(client, server)).containsExactly(15008);
    }
  }

  @Test
  void socketsThatHaveTheSamePortForAllAddressesSeeEachOther() throws IOException {
    var one = captured(mesh.a(), "gossip-one");
    var other = captured(mesh.b(), "gossip-other");
    awaitCapture(one, other.ipv4());
    awaitCapture(other, one.ipv6());
    var secret = Calls.marker().getBytes(StandardCharsets.UTF_8);
    try (var wire = PacketCapture.betweenNodes(mesh.network())) {
      // The second time flows are there already, and nobody is kept from binding the port.
      for (int start = 0; start < 2; start++) {
        try (var socket = UdpClient.open(one, PORT);
            var echo = UdpServer.echo(other, PORT)) {
          for (var to : List.of(other.at(PORT), other.at6(PORT))) {
            socket.answered(to, secret);
            for (int size : new int[] {0, 1400, 9000, 65_000}) {
              socket.answered(to, new byte[size]);
            }
          }
          socket.answered(other.at(PORT), new byte[65_507]);
          assertThat(Set.copyOf(echo.callers()))
              .containsExactlyInAnyOrder(
                  new InetSocketAddress(one.ipv4(), PORT), new InetSocketAddress(one.ipv6(), PORT));
        }
        // Now the other asks first.
        try (var socket = UdpClient.open(other, PORT);
            var echo = UdpServer.echo(one, PORT)) {
          socket.answered(one.at(PORT), secret);
          socket.answered(one.at6(PORT), secret);
          assertThat(echo.callers()).extracting(InetSocketAddress::getPort).containsOnly(PORT);
        }
      }
      assertThat(wire.shows(new String(secret, StandardCharsets.UTF_8))).isFalse();
    }
  }

  @Test
  void oneSocketTalksToManyAndManyTalkToOne() throws IOException {
    var client = captured(mesh.a(), "talker");
    var servers = new ArrayList<Pod>();
    for (int i = 0; i < 3; i++) {
      servers.add(captured(i == 0 ? mesh.a() : mesh.b(), "listener"));
    }
    for (var server : servers) {
      awaitCapture(client, server.ipv4());
    }
    try (var first = UdpServer.echo(servers.get(0), PORT);
        var second = UdpServer.echo(servers.get(1), PORT);
        var third = UdpServer.echo(servers.get(2), PORT);
        var socket = UdpClient.open(client)) {
      for (int round = 0; round < 3; round++) {
        for (var server : servers) {
          socket.answered(server.at(PORT));
        }
      }
      var ports = new HashSet<Integer>();
      for (int i = 0; i < 20; i++) {
        try (var other = UdpClient.open(client)) {
          other.answered(servers.get(1).at(PORT));
          ports.add(other.port());
        }
      }
      var seen = new HashSet<Integer>();
      second.callers().forEach(caller -> seen.add(caller.getPort()));
      assertThat(seen).containsAll(ports);
      assertThat(first.callers()).isNotEmpty();
      assertThat(third.callers()).isNotEmpty();
    }
  }

  @Test
  void aThousandFlowsAtOnceEachGetTheirOwnAnswers() throws IOException {
    var client = captured(mesh.a(), "many");
    var server = captured(mesh.b(), "popular");
    awaitCapture(client, server.ipv4());
    var sockets = new ArrayList<UdpClient>();
    try (var echo = UdpServer.echo(server, PORT)) {
      for (int i = 0; i < 1000; i++) {
        sockets.add(UdpClient.open(client));
      }
      for (int round = 0; round < 2; round++) {
        for (int i = 0; i < sockets.size(); i++) {
          sockets
              .get(i)
              .send(
                  ("flow " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8), server.at(PORT));
        }
        for (int i = 0; i < sockets.size(); i++) {
          sockets
              .get(i)
              .answeredAlone(
                  server.at(PORT), ("flow " + i).getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
      }
      assertThat(echo.callers().stream().distinct().count()).isEqualTo(1000);
    } finally {
      sockets.forEach(UdpClient::close);
    }
  }

  @Test
  void aServiceIsReachedByItsAddressAndAFlowMovesWhenItsEndpointGoes() throws IOException {
    var client = captured(mesh.a(), "shopper");
    var one = captured(mesh.a(), "till-one");
    var two = captured(mesh.b(), "till-two");
    var service =
        new ServiceResource(
            "shop", "tills", new InetSocketAddress(InetAddress.getByName("10.96.7.7"), 90), PORT);
    mesh.controlPlane().announce(service);
    mesh.controlPlane()
        .announce(carrying(one).endpointOf(service, PORT), carrying(two).endpointOf(service, PORT));
    awaitCapture(client, service.address4().getAddress());
    try (var first = UdpServer.echo(one, PORT);
        var second = UdpServer.echo(two, PORT);
        var socket = UdpClient.open(client)) {
      for (int i = 0; i < 10; i++) {
        socket.answered(service.address4());
      }
      boolean onOne = !first.callers().isEmpty();
      assertThat(onOne ? second.callers() : first.callers()).as("a flow keeps to one").isEmpty();
      mesh.controlPlane()
          .announce(carrying(onOne ? one : two).endpointOf(service, PORT).unhealthy());
      var other = onOne ? second : first;
      await("the flow moves")
          .atMost(Patience.LONG)
          .until(
              () -> {
                socket.answered(service.address4());
                return !other.callers().isEmpty();
              });
    }
  }

  @Test
  void aFlowMovesToTheNextPodWhenItsOwnIsMadeAnew() throws IOException {
    var client = captured(mesh.a(), "regular");
    var service =
        new ServiceResource(
            "shop", "kiosk", new InetSocketAddress(InetAddress.getByName("10.96.7.8"), 90), PORT);
    mesh.controlPlane().announce(service);
    try (var socket = UdpClient.open(client)) {
      for (int incarnation = 0; incarnation < 3; incarnation++) {
        var pod = captured(mesh.b(), "kiosk");
        mesh.controlPlane().announce(carrying(pod).endpointOf(service, PORT));
        awaitCapture(client, service.address4().getAddress());
        try (var echo = UdpServer.echo(pod, PORT)) {
          for (int i = 0; i < 5; i++) {
            socket.answered(service.address4());
          }
          assertThat(echo.callers())
              .extracting(InetSocketAddress::getPort)
              .containsOnly(socket.port());
        }
        mesh.controlPlane().withdraw(pod);
        mesh.b().agent().cutOff(pod);
      }
    }
  }

  @Test
  void datagramsOfAFlowArriveInTheirOrder() throws IOException {
    var client = captured(mesh.a(), "counting");
    var server = captured(mesh.b(), "counted");
    awaitCapture(client, server.ipv4());
    int count = 500;
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      socket.socket().setReceiveBufferSize(4 << 20);
      for (int i = 0; i < count; i++) {
        socket.send(ByteBuffer.allocate(4).putInt(i).array(), server.at(PORT));
        if (i % 10 == 0) {
          LockSupport.parkNanos(Duration.ofMillis(2).toNanos());
        }
      }
      var heard = new ArrayList<Integer>();
      try {
        while (heard.size() < count) {
          byte[] answer = UdpClient.bytes(socket.receive(SILENCE));
          if (answer.length == Integer.BYTES) { // Else a late one to the question before all these.
            heard.add(ByteBuffer.wrap(answer).getInt());
          }
        }
      } catch (SocketTimeoutException e) {
        // The others got lost, as UDP may.
      }
      assertThat(heard).isSorted().doesNotHaveDuplicates();
      assertThat(heard).hasSizeGreaterThan(count - count / 20);
    }
  }

  @Test
  void policiesDecideOnWhoTheCallerIsAndAgainWhenTheyChange() throws IOException {
    var friend = captured(mesh.a(), "udp-friend");
    var stranger = captured(mesh.a(), "udp-stranger");
    var server = captured(mesh.b(), "udp-guarded");
    awaitCapture(friend, server.ipv4());
    awaitCapture(stranger, server.ipv4());
    var policy =
        Policies.of("shop", "udp-allow-friend", Action.ALLOW, Policies.principal(friend)).build();
    try (var echo = UdpServer.echo(server, PORT);
        var ofFriend = UdpClient.open(friend);
        var ofStranger = UdpClient.open(stranger)) {
      ofFriend.answered(server.at(PORT));
      ofStranger.answered(server.at(PORT));
      protect(server, policy);
      mesh.b()
          .ztunnel()
          .awaitLog(
              "the stranger's flow is cut",
              line ->
                  line.text().contains("UDP flow complete")
                      && line.has("src.workload", stranger.name())
                      && line.has(
                          "error", "denied: no policy allows it, and there are allowing policies"));
      ofFriend.answered(server.at(PORT));
      silent(stranger, server.at(PORT));
      mesh.a()
          .ztunnel()
          .awaitLog(
              "the refusal",
              line ->
                  line.text().contains("UDP flow failed")
                      && line.has("src.workload", stranger.name())
                      && line.has("error", "the next hop answered CONNECT with 401"));
      mesh.controlPlane().announce(carrying(server));
      mesh.controlPlane().revoke(policy);
      ofStranger.answered(server.at(PORT));
    }
  }

  @Test
  void strictMtlsRefusesPlainDatagramsAndOtherPoliciesJudgeThem() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "udp-plain");
    var meshed = captured(mesh.a(), "udp-meshed");
    var server = captured(mesh.b(), "udp-strict");
    awaitCapture(meshed, server.ipv4());
    try (var echo = UdpServer.echo(server, PORT);
        var other = UdpServer.echo(server, PORT + 1);
        var ofPlain = UdpClient.open(plain)) {
      ofPlain.answered(server.at(PORT));
      ofPlain.answered(server.at6(PORT));
      int before = echo.callers().size();
      protect(server, Policies.strict());
      mesh.controlPlane().awaitSettled();
      await("plain datagrams are refused")
          .atMost(Patience.LONG)
          .untilAsserted(() -> silent(plain, server.at(PORT)));
      await("also those of a flow that was under way")
          .atMost(Patience.LONG)
          .until(() -> ofPlain.unanswered(server.at(PORT)));
      silent(plain, server.at6(PORT));
      try (var ofMesh = UdpClient.open(meshed)) {
        ofMesh.answered(server.at(PORT));
      }
      assertThat(echo.callers().size()).isGreaterThan(before);
      assertThat(
              mesh.b()
                  .ztunnel()
                  .metrics()
                  .sum("ambit_udp_dropped_datagrams_total", Map.of("reason", "denied")))
          .isPositive();

      // A policy that names a port lets plain datagrams to it through, and their answers back.
      protect(
          server,
          Policies.of("shop", "udp-one-port", Action.ALLOW, Policies.port(PORT + 1)).build());
      try (var asks = UdpClient.open(plain)) {
        for (int i = 0; i < 5; i++) {
          asks.answered(server.at(PORT + 1));
        }
        assertThat(other.callers()).contains(new InetSocketAddress(plain.ipv4(), asks.port()));
      }
      silent(plain, server.at(PORT));
    }
  }

  @Test
  void udpThatIsLeftAloneGoesAsIfThereWereNoMesh() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "udp-alone-plain");
    var client = mesh.captured(mesh.a(), "udp-alone-client");
    var server = mesh.captured(mesh.b(), "udp-alone-server");
    var meshed = captured(mesh.a(), "udp-alone-meshed");
    var strict = Policies.strict();
    mesh.controlPlane().enforce(strict);
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(client)
                .with(workload -> workload.setDatagramsLeftAlone(true)));
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(server)
                .with(workload -> workload.setDatagramsLeftAlone(true))
                .selectedBy(FakeControlPlane.name(strict)));
    mesh.controlPlane().awaitSettled();
    try (var echo = UdpServer.echo(server, PORT);
        var ofPlain = UdpClient.open(plain);
        var ofClient = UdpClient.open(client);
        var ofMeshed = UdpClient.open(meshed)) {
      await("strict mTLS does not hold for them")
          .atMost(Patience.LONG)
          .ignoreExceptions()
          .untilAsserted(() -> ofPlain.answered(server.at(PORT)));
      ofClient.answered(server.at(PORT));
      ofMeshed.answered(server.at(PORT));
      assertThat(echo.callers())
          .contains(
              new InetSocketAddress(client.ipv4(), ofClient.port()),
              new InetSocketAddress(meshed.ipv4(), ofMeshed.port()));
      assertThat(
              client
                  .host()
                  .call(() -> dev.ambit.linux.Nftables.run("list set inet ambit_udp mesh4")))
          .doesNotContain(server.ipv4().getHostAddress());
    }
  }

  @Test
  void flowsThatWereInATunnelGoOnPlainWhereUdpIsLeftAlone() throws IOException {
    var leaving = captured(mesh.a(), "udp-alone-leaving");
    var staying = captured(mesh.a(), "udp-alone-staying");
    var server = captured(mesh.b(), "udp-alone-later");
    var strict = Policies.strict();
    mesh.controlPlane().enforce(strict);
    awaitCapture(leaving, server.ipv4());
    awaitCapture(staying, server.ipv4());
    try (var echo = UdpServer.echo(server, PORT);
        var ofLeaving = UdpClient.open(leaving);
        var ofStaying = UdpClient.open(staying)) {
      ofLeaving.answered(server.at(PORT));
      ofStaying.answered(server.at(PORT));
      mesh.controlPlane()
          .announce(
              WorkloadResource.captured(leaving)
                  .with(workload -> workload.setDatagramsLeftAlone(true)));
      goesOnPlain(ofLeaving, server.at(PORT));
      mesh.controlPlane()
          .announce(
              WorkloadResource.captured(server)
                  .with(workload -> workload.setDatagramsLeftAlone(true))
                  .selectedBy(FakeControlPlane.name(strict)));
      goesOnPlain(ofStaying, server.at(PORT));
      assertThat(Set.copyOf(echo.callers()))
          .as("the server sees the same peers all along")
          .containsExactlyInAnyOrder(
              new InetSocketAddress(leaving.ipv4(), ofLeaving.port()),
              new InetSocketAddress(staying.ipv4(), ofStaying.port()));
    }
  }

  private void goesOnPlain(UdpClient socket, InetSocketAddress to) throws IOException {
    var marker = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network())) {
      await("the flow goes on, plain")
          .atMost(Patience.MIDDLE)
          .until(
              () -> {
                socket.answered(to, marker.getBytes(StandardCharsets.UTF_8));
                return wire.shows(marker);
              });
    }
  }

  @Test
  void aPolicyThatSelectsThePodLaterJudgesPlainFlowsAgain() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "udp-late-plain");
    var server = captured(mesh.b(), "udp-late");
    var allow = Policies.of("shop", "udp-late-allow", Action.ALLOW, Policies.port(PORT)).build();
    var deny = Policies.of("shop", "udp-late-deny", Action.DENY, Policies.port(PORT)).build();
    mesh.controlPlane().enforce(allow, deny);
    mesh.controlPlane().announce(carrying(server).selectedBy(FakeControlPlane.name(allow)));
    mesh.controlPlane().awaitSettled();
    try (var echo = UdpServer.echo(server, PORT);
        var ofPlain = UdpClient.open(plain)) {
      ofPlain.answered(server.at(PORT));
      assertThat(echo.callers()).isNotEmpty();
      mesh.controlPlane()
          .announce(
              carrying(server)
                  .selectedBy(FakeControlPlane.name(allow), FakeControlPlane.name(deny)));
      await("the flow under way is refused")
          .atMost(Patience.LONG)
          .until(() -> ofPlain.unanswered(server.at(PORT)));
    }
  }

  @Test
  @ResourceLock(Requirements.PROCESSORS)
  void aFloodOnOneFlowStarvesNeitherAnotherNorConnections() throws Exception {
    var client = captured(mesh.a(), "flooder");
    var server = captured(mesh.b(), "flooded");
    awaitCapture(client, server.ipv4());
    var over = new java.util.concurrent.atomic.AtomicBoolean();
    try (var echo = UdpServer.echo(server, PORT);
        var sink = UdpServer.start(server, PORT + 1, question -> new byte[0]);
        var tcp = TcpServer.echo(server, PORT);
        var connection = TcpClient.connect(client, server.at(PORT));
        var flood = UdpClient.open(client);
        var other = UdpClient.open(client)) {
      flood.answered(server.at(PORT + 1), new byte[0]);
      other.answered(server.at(PORT));
      byte[] data = new byte[1400];
      var flooding = repeating(over, () -> flood.send(data, server.at(PORT + 1)));
      int answered = 0;
      int asked = 200;
      try {
        for (int i = 0; i < asked; i++) {
          answered += other.unanswered(server.at(PORT)) ? 0 : 1;
          if (i % 10 == 0) {
            var text = Calls.marker();
            assertThat(connection.echo(text)).isEqualTo(text);
            Calls.answered(client, server.at(PORT));
          }
        }
      } finally {
        over.set(true);
        flooding.join(Patience.MIDDLE);
      }
      assertThat(sink.callers()).hasSizeGreaterThan(asked);
      assertThat(answered).as("of " + asked).isGreaterThanOrEqualTo(asked - asked / 20);
    }
  }

  @Test
  void whatATunnelDoesNotTakeIsDroppedAndNotKept() throws Exception {
    var client = captured(mesh.a(), "persistent");
    var server = captured(mesh.b(), "stalled");
    awaitCapture(client, server.ipv4());
    var full = Map.of("reason", "tunnel_full");
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      var near = mesh.a().ztunnel();
      double dropped = near.metrics().sum("ambit_udp_dropped_datagrams_total", full);
      long before = near.residentKibibytes();
      signal(mesh.b().ztunnel(), "STOP");
      try {
        byte[] data = new byte[8000];
        for (int sent = 0; sent < 200 << 20; sent += data.length) {
          socket.send(data, server.at(PORT));
        }
        await("what finds no room is dropped")
            .atMost(Patience.LONG)
            .until(() -> near.metrics().sum("ambit_udp_dropped_datagrams_total", full) > dropped);
        assertThat(near.residentKibibytes() - before).isLessThan(64 << 10);
      } finally {
        signal(mesh.b().ztunnel(), "CONT");
      }
      socket.answered(server.at(PORT));
    }
  }

  /** Sends again and again, until it is over or what it sends with is closed. */
  private static Thread repeating(java.util.concurrent.atomic.AtomicBoolean over, Sending sending) {
    return Thread.ofPlatform()
        .daemon()
        .start(
            () -> {
              try {
                while (!over.get()) {
                  sending.send();
                }
              } catch (IOException e) {
                // Closed at the test's end.
              }
            });
  }

  @FunctionalInterface
  private interface Sending {
    void send() throws IOException;
  }

  private static void signal(ZtunnelProcess ztunnel, String name) throws Exception {
    var kill = new ProcessBuilder("kill", "-" + name, Long.toString(ztunnel.pid())).start();
    assertThat(kill.waitFor()).isZero();
  }

  @Test
  void datagramsFindRoomBesideStreamsThatFillTheTunnel() throws Exception {
    var client = captured(mesh.a(), "uploader");
    var server = captured(mesh.b(), "uploaded");
    awaitCapture(client, server.ipv4());
    var over = new java.util.concurrent.atomic.AtomicBoolean();
    try (var echo = UdpServer.echo(server, PORT);
        var tcp = TcpServer.echo(server, PORT);
        var upload = TcpClient.connect(client, server.at(PORT));
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      // Nobody reads what is sent back, so that the tunnel is full both ways after a while.
      byte[] data = new byte[64 << 10];
      var uploading = repeating(over, () -> upload.send(data));
      int answered = 0;
      int asked = 200;
      try {
        for (int i = 0; i < asked; i++) {
          answered += socket.unanswered(server.at(PORT)) ? 0 : 1;
        }
      } finally {
        over.set(true);
        upload.reset();
        uploading.join(Patience.MIDDLE);
      }
      assertThat(answered).as("of " + asked).isGreaterThanOrEqualTo(asked - asked / 20);
    }
  }

  @Test
  void whoAsksAPortWhereNobodyIsLearnsIt() throws IOException {
    var client = captured(mesh.a(), "hopeful");
    var server = captured(mesh.b(), "closed");
    awaitCapture(client, server.ipv4());
    awaitCapture(client, server.ipv6());
    for (var to : List.of(server.at(PORT), server.at6(PORT))) {
      try (var socket = UdpClient.open(client)) {
        socket.socket().connect(to);
        await("the news that nobody is there")
            .atMost(Patience.LONG)
            .ignoreException(SocketTimeoutException.class)
            .until(
                () -> {
                  try {
                    socket.send(new byte[] {1}, to);
                    socket.receive(SILENCE);
                    return false;
                  } catch (PortUnreachableException e) {
                    return true;
                  }
                });
      }
    }
  }

  @Test
  void aFlowGoesOnWhenItsZtunnelIsReplacedAndAtNoTimePlain() throws IOException {
    var client = captured(mesh.a(), "steady-client");
    var server = captured(mesh.b(), "steady-server");
    awaitCapture(client, server.ipv4());
    var marker = Calls.marker().getBytes(java.nio.charset.StandardCharsets.UTF_8);
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT), marker);
      for (var node : List.of(mesh.a(), mesh.b())) {
        var old = node.ztunnel();
        node.startZtunnel();
        node.awaitReady();
        old.terminate();
        for (int i = 0; i < 20; i++) {
          socket.answered(server.at(PORT), marker);
        }
        old.awaitExit(Patience.LONG);
        socket.answered(server.at(PORT), marker);
      }
      assertThat(Set.copyOf(echo.callers()))
          .as("the server sees the same peer all along")
          .containsExactly(new InetSocketAddress(client.ipv4(), socket.port()));

      // Without any ztunnel nothing gets out, and with the next one it goes on.
      mesh.a().ztunnel().kill();
      mesh.a().ztunnel().awaitExit(Patience.LONG);
      assertThat(socket.unanswered(server.at(PORT))).isTrue();
      mesh.a().startZtunnel();
      mesh.a().awaitReady();
      socket.answered(server.at(PORT), marker);
      assertThat(wire.shows(new String(marker, java.nio.charset.StandardCharsets.UTF_8))).isFalse();
    }
  }

  @Test
  void aPodThatLeavesGoesOnPlainWithTheSameSocket() throws IOException {
    var client = captured(mesh.a(), "leaver");
    var server = captured(mesh.b(), "stayer");
    awaitCapture(client, server.ipv4());
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      mesh.controlPlane().announce(WorkloadResource.plain(client));
      mesh.a().agent().release(client, Duration.ofSeconds(5));
      var marker = Calls.marker();
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        await("the flow goes on, plain")
            .atMost(Patience.LONG)
            .until(
                () -> {
                  socket.answered(
                      server.at(PORT), marker.getBytes(java.nio.charset.StandardCharsets.UTF_8));
                  return wire.shows(marker);
                });
      }
      assertThat(Set.copyOf(echo.callers()))
          .containsExactly(new InetSocketAddress(client.ipv4(), socket.port()));
    }
  }

  @Test
  void aForgedPlainDatagramTurnsNoAnswersPlain() throws IOException {
    var client = captured(mesh.a(), "impersonated");
    var server = captured(mesh.b(), "lied-to");
    awaitCapture(client, server.ipv4());
    awaitCapture(client, server.ipv6());
    byte[] lie = Calls.marker().getBytes(StandardCharsets.UTF_8);
    var secret = Calls.marker();
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = UdpServer.start(server, PORT, question -> question);
        var socket = UdpClient.open(client)) {
      for (var to : List.of(server.at(PORT), server.at6(PORT))) {
        socket.answered(to);
        var caller = echo.callers().getLast();
        UdpClient.forge(mesh.b().node().host(), caller, to, lie);
        boolean ipv6 = to.getAddress() instanceof Inet6Address;
        mesh.b()
            .ztunnel()
            .awaitLog(
                "the lie is refused",
                line ->
                    line.has("dst.workload", server.name())
                        && line.fields().getOrDefault("dst.addr", "").startsWith("[") == ipv6
                        && line.has(
                            "error",
                            "plain in the name of a caller whose flow comes through a tunnel"));
        await("what the server says goes to its caller")
            .atMost(Patience.LONG)
            .ignoreException(SocketTimeoutException.class)
            .until(
                () -> {
                  echo.send(secret.getBytes(StandardCharsets.UTF_8), caller);
                  return Arrays.equals(
                      UdpClient.bytes(socket.receive(SILENCE)),
                      secret.getBytes(StandardCharsets.UTF_8));
                });
      }
      assertThat(wire.shows(secret)).isFalse();
      assertThat(wire.shows(new String(lie, StandardCharsets.UTF_8))).isFalse();
    }
  }

  @Test
  void aFlowIsCountedLoggedAndShown() throws IOException {
    var client = captured(mesh.a(), "counted-client");
    var server = captured(mesh.b(), "counted-server");
    awaitCapture(client, server.ipv4());
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT), new byte[100]);
      for (var node : List.of(mesh.a(), mesh.b())) {
        assertThat(node.ztunnel().configDump())
            .containsPattern(
                "\"src\":\"%s:%d\"[^}]*\"transport\":\"UDP\""
                    .formatted(client.ipv4().getHostAddress(), socket.port()));
        assertThat(
                node.ztunnel()
                    .metrics()
                    .sum(
                        "ambit_udp_flows_opened_total",
                        Map.of(
                            "destination_workload",
                            server.name(),
                            "source_principal",
                            client.identity(),
                            "request_protocol",
                            "udp",
                            "connection_security_policy",
                            "mutual_tls")))
            .isPositive();
      }
      mesh.a().agent().forget(client);
      for (var node : List.of(mesh.a(), mesh.b())) {
        var line =
            node.ztunnel()
                .awaitLog(
                    "the flow's end",
                    entry ->
                        entry.text().contains("UDP flow complete")
                            && entry.has("dst.workload", server.name()));
        assertThat(line.fields())
            .containsEntry("src.identity", client.identity())
            .containsEntry("dst.identity", server.identity())
            .containsEntry("bytes_recv", line.fields().get("bytes_sent"));
        var toServer = Map.of("destination_workload", server.name());
        for (var counted : List.of("flows_closed", "received_datagrams", "sent_datagrams")) {
          assertThat(node.ztunnel().metrics().sum("ambit_udp_" + counted + "_total", toServer))
              .as(counted)
              .isPositive();
        }
        for (var counted : List.of("received_bytes", "sent_bytes")) {
          assertThat(node.ztunnel().metrics().sum("ambit_udp_" + counted + "_total", toServer))
              .as(counted)
              .isGreaterThanOrEqualTo(100);
        }
      }
    }
  }
}
