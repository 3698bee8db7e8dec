package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.netns.DatagramRedirection.awaitCapture;
import static dev.ambit.ztunnel.netns.DatagramRedirection.carrying;
import static dev.ambit.ztunnel.netns.DatagramRedirection.rules;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the kernel remembers of plain flows holds for as long as what it was decided by. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DatagramVerdictsIT {
  private static final int PORT = 7000;
  private static final Duration SILENCE = Duration.ofMillis(700);

  private Mesh mesh;
  private int others;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  DatagramVerdictsIT() {}

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

  /** Has all plain flows judged anew, by the same policies. */
  private void beginTurn(Pod guarded) {
    var before = rules(guarded);
    mesh.controlPlane()
        .enforce(
            Policies.of("elsewhere", "other-" + others++, Action.DENY, Policies.port(1)).build());
    await("the next turn").atMost(Patience.LONG).until(() -> !rules(guarded).equals(before));
  }

  private static Authorization policy(String name, Action action) {
    return Policies.of("shop", name, action, Policies.port(PORT)).build();
  }

  @Test
  void aVerdictDoesNotOutliveItsZtunnel() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "plain");
    var server = captured(mesh.b(), "guarded");
    var allow = policy("outlived", Action.ALLOW);
    mesh.controlPlane().enforce(allow);
    mesh.controlPlane().announce(carrying(server).selectedBy(FakeControlPlane.name(allow)));
    try (var echo = UdpServer.echo(server, PORT);
        var allowed = UdpClient.open(plain)) {
      for (int i = 0; i < 3; i++) {
        beginTurn(server);
        allowed.answered(server.at(PORT));
      }
      mesh.b().ztunnel().kill();
      mesh.controlPlane().enforce(policy("outlived", Action.DENY));
      mesh.b().startZtunnel();
      mesh.b().awaitReady();
      mesh.controlPlane().awaitSettled();
      int before = echo.callers().size();
      for (int i = 0; i < 6; i++) {
        assertThat(allowed.unanswered(server.at(PORT))).isTrue();
        beginTurn(server);
      }
      assertThat(echo.callers()).hasSize(before);
    }
  }

  @Test
  void aServerThatConnectsItsSocketKeepsItsFlowWhenPoliciesChange() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "plain-to-connected");
    var server = captured(mesh.b(), "connecting");
    var allow = policy("connecting", Action.ALLOW);
    mesh.controlPlane().enforce(allow);
    mesh.controlPlane().announce(carrying(server).selectedBy(FakeControlPlane.name(allow)));
    for (var to : List.of(server.at(PORT), server.at6(PORT))) {
      try (var echo = UdpServer.connectingEcho(server, PORT);
          var client = UdpClient.open(plain)) {
        for (int i = 0; i < 3; i++) {
          client.answered(to);
          beginTurn(server);
        }
        client.answered(to);
        assertThat(echo.callers())
            .extracting(InetSocketAddress::getPort)
            .containsOnly(client.port());

        mesh.controlPlane().enforce(policy("connecting", Action.DENY));
        await("it is judged as others are")
            .atMost(Patience.LONG)
            .until(() -> client.unanswered(to));
        mesh.controlPlane().enforce(allow);
        client.answered(to);
      }
    }
  }

  @Test
  void aForgedAnswerDoesNotReachWhoAskedThroughATunnel() throws IOException {
    var client = captured(mesh.a(), "asking");
    var server = captured(mesh.b(), "answering");
    byte[] lie = Calls.marker().getBytes(StandardCharsets.UTF_8);
    byte[] truth = Calls.marker().getBytes(StandardCharsets.UTF_8);
    awaitCapture(client, server.ipv4());
    for (boolean connected : new boolean[] {false, true}) {
      for (var to : List.of(server.at(PORT), server.at6(PORT))) {
        try (var echo = UdpServer.echo(server, PORT);
            var socket = UdpClient.open(client)) {
          if (connected) {
            socket.socket().connect(to);
          }
          socket.answered(to);
          var caller = echo.callers().getLast();
          boolean ipv6 = to.getAddress() instanceof Inet6Address;
          assertThat(caller.getAddress()).isEqualTo(ipv6 ? client.ipv6() : client.ipv4());
          UdpClient.forge(mesh.b().node().host(), to, caller, lie);
          await("the server's own answer is the next that comes")
              .atMost(Patience.LONG)
              .ignoreException(SocketTimeoutException.class)
              .until(
                  () -> {
                    echo.send(truth, caller);
                    byte[] heard = UdpClient.bytes(socket.receive(SILENCE));
                    assertThat(heard).isNotEqualTo(lie);
                    return Arrays.equals(heard, truth);
                  });
        }
      }
    }
  }

  @Test
  @ResourceLock(Requirements.PROCESSORS)
  void joiningAndLeavingTakeNoMoreThanADatagramFromAFlow() throws Exception {
    var client = mesh.uncaptured(mesh.a(), "steady-asker");
    var server = mesh.uncaptured(mesh.b(), "steady-answerer");
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      var flow = new SteadyFlow(socket, server.at(PORT));
      for (var pod : List.of(client, server)) {
        flow.losesNoMoreThan(
            1,
            () -> {
              (pod == client ? mesh.a() : mesh.b()).agent().capture(pod);
              mesh.controlPlane().announce(carrying(pod));
            });
      }
      for (var pod : List.of(server, client)) {
        flow.losesNoMoreThan(
            1,
            () -> {
              mesh.controlPlane().announce(WorkloadResource.plain(pod));
              (pod == client ? mesh.a() : mesh.b()).agent().release(pod, Duration.ofSeconds(5));
            });
      }
      assertThat(echo.callers()).extracting(InetSocketAddress::getPort).containsOnly(socket.port());
    }
  }

  /** Asks every 20 ms, whatever became of the questions before. */
  private record SteadyFlow(UdpClient socket, InetSocketAddress to) {
    void losesNoMoreThan(int most, Runnable change) throws Exception {
      var over = new AtomicBoolean();
      var asked = new AtomicInteger();
      var asking =
          CompletableFuture.runAsync(
              () -> {
                while (!over.get()) {
                  try {
                    socket.send(ByteBuffer.allocate(4).putInt(asked.incrementAndGet()).array(), to);
                  } catch (IOException e) {
                    // Lost as any other.
                  }
                  LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
                }
              });
      var heard = new HashSet<Integer>();
      var hearing =
          CompletableFuture.runAsync(
              () -> {
                while (true) {
                  try {
                    heard.add(ByteBuffer.wrap(UdpClient.bytes(socket.receive(SILENCE))).getInt());
                  } catch (IOException e) {
                    if (over.get()) {
                      return;
                    }
                  }
                }
              });
      await("a steady flow").atMost(Patience.LONG).until(() -> asked.get() >= 25);
      change.run();
      int then = asked.get();
      await("what comes after").atMost(Patience.LONG).until(() -> asked.get() >= then + 100);
      over.set(true);
      asking.get();
      hearing.get();
      assertThat(asked.get() - heard.size()).as("lost of " + asked.get()).isLessThanOrEqualTo(most);
    }
  }

  @Test
  void aFlowThatWasUnderWayGoesOnWhenItsServerJoinsAndLeaves() throws IOException {
    var client = captured(mesh.a(), "witness");
    var server = mesh.uncaptured(mesh.b(), "joining");
    try (var echo = UdpServer.echo(server, PORT);
        var socket = UdpClient.open(client)) {
      socket.answered(server.at(PORT));
      mesh.controlPlane().announce(carrying(server));
      mesh.b().agent().capture(server);
      var secret = Calls.marker().getBytes(StandardCharsets.UTF_8);
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        awaitCapture(client, server.ipv4());
        socket.answered(server.at(PORT), secret);
        assertThat(wire.shows(new String(secret, StandardCharsets.UTF_8))).isFalse();
      }
      mesh.controlPlane().announce(WorkloadResource.plain(server));
      mesh.b().agent().release(server, Duration.ofSeconds(5));
      var open = Calls.marker().getBytes(StandardCharsets.UTF_8);
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        await("it goes on, plain")
            .atMost(Patience.LONG)
            .until(
                () -> {
                  socket.answered(server.at(PORT), open);
                  return wire.shows(new String(open, StandardCharsets.UTF_8));
                });
      }
      assertThat(echo.callers()).extracting(InetSocketAddress::getPort).containsOnly(socket.port());
    }
  }

  @Test
  void aRunningPodsDatagramsGoOnPlainUntilItsIdentityCanBeProven() throws IOException {
    var certificates = mesh.controlPlane().certificates();
    var server = captured(mesh.b(), "proven");
    var pod = mesh.uncaptured(mesh.a(), "unproven");
    awaitCapture(server, server.ipv4());
    certificates.refuse(identity -> identity.contains("/sa/unproven"));
    try (var echo = UdpServer.echo(server, PORT);
        var own = UdpServer.echo(pod, PORT + 1);
        var asks = UdpClient.open(pod);
        var isAsked = UdpClient.open(server)) {
      mesh.a().agent().join(pod);
      asks.answered(server.at(PORT));
      isAsked.answered(pod.at(PORT + 1));
      assertThat(rules(pod)).isEmpty();

      certificates.refuse(identity -> false);
      awaitCapture(pod, server.ipv4());
      mesh.a().agent().redirect(pod);
      mesh.controlPlane().announce(carrying(pod));
      awaitCapture(server, pod.ipv4());
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        var secret = Calls.marker();
        asks.answered(server.at(PORT), secret.getBytes(StandardCharsets.UTF_8));
        isAsked.answered(pod.at(PORT + 1), secret.getBytes(StandardCharsets.UTF_8));
        assertThat(wire.shows(secret)).isFalse();
      }
    } finally {
      certificates.refuse(identity -> false);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFlowWhoseAnswerIsTheFirstThatTheServersKernelSeesStaysAQuestionOfTheClients(boolean ipv6)
      throws IOException {
    var client = captured(mesh.a(), "early" + ipv6);
    var server = mesh.uncaptured(mesh.b(), "late" + ipv6);
    var to = ipv6 ? server.at6(PORT) : server.at(PORT);
    try (var silent = UdpServer.silent(server, PORT);
        var socket = UdpClient.open(client)) {
      var caller = asked(silent, socket, to);
      mesh.controlPlane().announce(carrying(server));
      mesh.b().agent().capture(server);
      // The kernel says so to who sends what it drops.
      assertThatThrownBy(() -> silent.send("answer".getBytes(StandardCharsets.UTF_8), caller))
          .hasMessageContaining("not permitted");
      awaitCapture(client, server.ipv4());
      goesOnInTheTunnel(silent, socket, to);
      // Had the answer begun a flow of the server's, its end would be logged on the client's node.
      assertThat(mesh.a().ztunnel().log())
          .noneMatch(line -> line.text().matches(".*src\\.identity=\"[^\"]*/sa/late.*"));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aFlowWhoseAnswerIsTheFirstThatTheClientsKernelSeesGoesIntoTheTunnel(boolean ipv6)
      throws IOException {
    var client = mesh.uncaptured(mesh.a(), "awaiting" + ipv6);
    var server = captured(mesh.b(), "slow" + ipv6);
    var to = ipv6 ? server.at6(PORT) : server.at(PORT);
    try (var silent = UdpServer.silent(server, PORT);
        var socket = UdpClient.open(client)) {
      var caller = asked(silent, socket, to);
      mesh.controlPlane().announce(carrying(client));
      mesh.a().agent().capture(client);
      awaitCapture(client, server.ipv4());
      silent.send("answer".getBytes(StandardCharsets.UTF_8), caller);
      goesOnInTheTunnel(silent, socket, to);
    }
  }

  /** Has a server hear a datagram, and returns from where. */
  private static InetSocketAddress asked(UdpServer server, UdpClient client, InetSocketAddress to) {
    await("a datagram that the server hears")
        .atMost(Patience.LONG)
        .until(
            () -> {
              client.send("question".getBytes(StandardCharsets.UTF_8), to);
              return !server.callers().isEmpty();
            });
    return server.callers().getLast();
  }

  /** After at most a few datagrams; what crosses the nodes from then on cannot be read. */
  private void goesOnInTheTunnel(UdpServer server, UdpClient client, InetSocketAddress to)
      throws IOException {
    server.answering();
    client.answered(to);
    try (var wire = PacketCapture.betweenNodes(mesh.network())) {
      for (int i = 0; i < 5; i++) {
        var secret = Calls.marker();
        client.answered(to, secret.getBytes(StandardCharsets.UTF_8));
        assertThat(wire.shows(secret)).isFalse();
      }
    }
    assertThat(server.callers()).extracting(InetSocketAddress::getPort).containsOnly(client.port());
  }
}
