package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Scope;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What callers and servers notice of two ztunnels that may be different programs. Both are Ambit's;
 * where the variable {@code PEER} names another ztunnel, all of it is done again with that one at
 * the servers' end, and at the callers'.
 */
@Timeout(240)
@ParameterizedClass(name = "{0}")
@MethodSource("dev.ambit.ztunnel.netns.ZtunnelPair#all")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class InteropIT {
  private static final int PORT = 8080;
  private static final int MEGABYTE = 1 << 20;

  /** More than one tunnel carries. */
  private static final int MANY = 150;

  @Parameter
  @SuppressWarnings("NullAway.Init")
  ZtunnelPair pair;

  @SuppressWarnings("NullAway.Init")
  private Mesh mesh;

  @SuppressWarnings("NullAway.Init")
  private Pod client;

  @SuppressWarnings("NullAway.Init")
  private Pod plainClient;

  @SuppressWarnings("NullAway.Init")
  private Pod server;

  @BeforeParameterizedClassInvocation
  void start() {
    mesh = pair.start(Map.of("TERMINATION_GRACE_PERIOD_SECONDS", "65"));
    client = mesh.captured(mesh.a(), "client");
    plainClient = mesh.uncaptured(mesh.a(), "plain");
    server = mesh.captured(mesh.b(), "server");
  }

  @AfterParameterizedClassInvocation
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void onlyHboneIsOnTheWireTheServerSeesTheClientAndBothIdentitiesAreLogged() throws IOException {
    for (var destination : List.of(server.at(PORT), server.at6(PORT))) {
      var marker = Calls.marker();
      var caller = mesh.captured(mesh.a(), "identified");
      try (var wire = PacketCapture.betweenNodes(mesh.network());
          var echo = TcpServer.echo(server, PORT)) {
        Calls.answered(caller, destination, marker);
        assertThat(wire.shows(marker)).isFalse();
        assertThat(echo.callers())
            .extracting(InetSocketAddress::getAddress)
            .containsExactly(destination.equals(server.at(PORT)) ? caller.ipv4() : caller.ipv6());
      }
      logsBothIdentities(mesh.a().ztunnel(), "outbound", caller);
      logsBothIdentities(mesh.b().ztunnel(), "inbound", caller);
    }
  }

  private void logsBothIdentities(ZtunnelProcess ztunnel, String direction, Pod caller) {
    ztunnel.awaitLog(
        "the %s connection of %s with both identities".formatted(direction, caller),
        line ->
            line.isConnectionComplete()
                && line.has("direction", direction)
                && line.has("src.workload", caller.name())
                && line.has("src.identity", caller.identity())
                && line.has("dst.identity", server.identity()));
  }

  @Test
  void aPodOutsideTheMeshIsServed() throws IOException {
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(plainClient, server.at(PORT));
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(plainClient.ipv4());
    }
  }

  @Test
  void eachSideMayFinishSendingAndStillGetsEverything() throws Exception {
    var question = bytes(1, MEGABYTE);
    var answer = bytes(2, MEGABYTE);
    TcpServer.Conversation answersAtTheEnd =
        socket -> {
          assertThat(socket.getInputStream().readAllBytes()).hasSize(question.length);
          socket.getOutputStream().write(answer);
        };
    var received = new LinkedBlockingQueue<byte[]>();
    TcpServer.Conversation finishesFirst =
        socket -> {
          socket.getOutputStream().write(answer);
          socket.shutdownOutput();
          received.add(socket.getInputStream().readAllBytes());
        };
    try (var patient = TcpServer.start(server, PORT, answersAtTheEnd);
        var hasty = TcpServer.start(server, PORT + 1, finishesFirst)) {
      atOnce(
          20,
          20,
          () -> {
            try (var connection = TcpClient.connect(client, server.at(PORT))) {
              connection.send(question);
              connection.finishSending();
              assertThat(Arrays.equals(connection.receiveAll(), answer)).isTrue();
            }
            try (var connection = TcpClient.connect(client, server.at(PORT + 1))) {
              assertThat(Arrays.equals(connection.receiveAll(), answer)).isTrue();
              connection.send(question);
              connection.finishSending();
              var whole = received.poll(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
              assertThat(Arrays.equals(whole, question)).isTrue();
            }
            return null;
          });
      assertThat(patient.failures()).isEmpty();
      assertThat(hasty.failures()).isEmpty();
    }
  }

  @Test
  void fortyConnectionsCarryTenMegabytesEachWayUnharmed() throws Exception {
    var payload = bytes(3, 10 * MEGABYTE);
    try (var echo = TcpServer.echo(server, PORT)) {
      atOnce(10, 40, () -> exchange(payload));
      assertThat(echo.failures()).isEmpty();
    }
  }

  private Void exchange(byte[] payload) throws Exception {
    try (var connection = TcpClient.connect(client, server.at(PORT))) {
      var sender =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      connection.send(payload);
                      connection.finishSending();
                    } catch (IOException e) {
                      // The receiving side of this connection fails with it.
                    }
                  });
      var echoed = connection.receiveAll();
      sender.join();
      assertThat(echoed.length).isEqualTo(payload.length);
      assertThat(Arrays.equals(echoed, payload)).isTrue();
    }
    return null;
  }

  @Test
  void aServiceIsReachedByItsVirtualAddress() throws IOException {
    var endpoint = mesh.captured(mesh.b(), "endpoint");
    var service =
        new ServiceResource(
            "shop", "service", new InetSocketAddress(InetAddress.getByName("10.96.0.7"), 80), PORT);
    mesh.controlPlane().announce(service);
    mesh.controlPlane().announce(WorkloadResource.captured(endpoint).endpointOf(service, PORT));
    try (var echo = TcpServer.echo(endpoint, PORT)) {
      Calls.answered(client, service.address4());
      assertThat(echo.callers())
          .extracting(InetSocketAddress::getAddress)
          .containsExactly(client.ipv4());
    }
  }

  @Test
  void moreConnectionsThanATunnelCarriesAreOpenAtOnce() throws IOException {
    var open = new ArrayList<TcpClient>();
    try (var echo = TcpServer.echo(server, PORT)) {
      try {
        for (int i = 0; i < MANY; i++) {
          open.add(TcpClient.connect(client, server.at(PORT)));
        }
        for (int turn = 0; turn < 2; turn++) {
          for (var connection : open) {
            assertThat(connection.echo("one of many")).isEqualTo("one of many");
          }
        }
        assertThat(echo.open()).isEqualTo(MANY);
      } finally {
        for (var connection : open) {
          connection.close();
        }
      }
      await("the server learns of each end").atMost(Patience.LONG).until(() -> echo.open() == 0);
      assertThat(echo.failures()).isEmpty();
    }
  }

  @Test
  void whoIsDeniedIsCutOffAndNobodyElseIs() throws IOException {
    var friend = mesh.captured(mesh.a(), "friend");
    var stranger = mesh.captured(mesh.a(), "stranger");
    var guarded = mesh.captured(mesh.b(), "bank", "guarded");
    var onlyFriend =
        Policies.of("bank", "only-friend", Action.ALLOW, Policies.principal(friend))
            .setScope(Scope.NAMESPACE)
            .build();
    try (var echo = TcpServer.echo(guarded, PORT);
        var open = TcpClient.connect(stranger, guarded.at(PORT))) {
      assertThat(open.echo("not yet denied")).isEqualTo("not yet denied");

      mesh.controlPlane().enforce(onlyFriend);

      open.awaitEnd();
      int before = echo.callers().size();
      Calls.refused(stranger, guarded.at(PORT));
      Calls.refused(plainClient, guarded.at(PORT));
      assertThat(echo.callers()).hasSize(before);
      Calls.answered(friend, guarded.at(PORT));
    }
  }

  @Test
  void strictMtlsRefusesPlaintextAndLetsTheMeshThrough() throws IOException {
    var strict = mesh.captured(mesh.b(), "strict");
    mesh.controlPlane().enforce(Policies.strict());
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(strict).selectedBy(FakeControlPlane.name(Policies.strict())));
    try (var echo = TcpServer.echo(strict, PORT)) {
      Calls.refused(plainClient, strict.at(PORT));
      Calls.refused(plainClient, strict.at6(PORT));
      assertThat(echo.callers()).isEmpty();
      Calls.answered(client, strict.at(PORT));
      Calls.answered(client, strict.at6(PORT));
    }
  }

  @Test
  void aServerThatSpeaksFirstIsHeard() throws IOException {
    TcpServer.Conversation greets =
        socket -> {
          socket.getOutputStream().write("220 ready".getBytes(StandardCharsets.US_ASCII));
          socket.getInputStream().readAllBytes();
        };
    try (var listening = TcpServer.start(server, PORT, greets);
        var connection = TcpClient.connect(client, server.at(PORT))) {
      assertThat(connection.receive(9)).isEqualTo("220 ready");
    }
  }

  @Test
  void whereNobodyListensTheCallerIsCutOff() throws IOException {
    Calls.refused(client, server.at(9));
    Calls.refused(client, server.at6(9));
    Calls.refused(plainClient, server.at(9));
  }

  @Test
  void aServerThatResetsEndsTheCallersConnection() throws IOException {
    TcpServer.Conversation resets =
        socket -> {
          socket.getInputStream().readNBytes(4);
          socket.setSoLinger(true, 0);
          socket.close();
        };
    try (var listening = TcpServer.start(server, PORT, resets);
        var connection = TcpClient.connect(client, server.at(PORT))) {
      connection.send("ping");
      connection.awaitEnd();
    }
  }

  @Test
  void aServersZtunnelThatIsReplacedLetsOpenConnectionsGoOnAndNewOnesIn() throws IOException {
    replace(mesh.b());
  }

  @Test
  void aCallersZtunnelThatIsReplacedLetsOpenConnectionsGoOnAndNewOnesOut() throws IOException {
    replace(mesh.a());
  }

  /** Starts a second ztunnel beside the first, and ends the first, while connections are open. */
  private void replace(MeshNode node) throws IOException {
    var caller = mesh.captured(mesh.a(), "handed-client");
    var called = mesh.captured(mesh.b(), "handed-server");
    try (var echo = TcpServer.echo(called, PORT);
        var open = TcpClient.connect(caller, called.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      var first = node.ztunnel();
      node.startZtunnel();
      node.awaitReady();
      node.agent().awaitZtunnels(2);

      first.terminate();
      node.agent().awaitZtunnels(1);
      // The caller's ztunnel may use the old tunnel until it is told, and no call may fail by that.
      for (int i = 0; i < 20; i++) {
        Calls.answered(caller, called.at(PORT));
        assertThat(open.echo("during " + i)).isEqualTo("during " + i);
      }
      open.finishSending();
      assertThat(open.receiveAll()).isEmpty();
      // Nothing is left to wait for, so it does not use up its time.
      assertThat(first.awaitExit(Patience.LONG)).isIn(0, 143);
      Calls.answered(caller, called.at(PORT));
      assertThat(echo.failures()).isEmpty();
    }
  }

  private static byte[] bytes(int seed, int length) {
    var bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  /** Runs {@code work} so many times, on so many threads at once, and waits. */
  private static void atOnce(int threads, int times, Callable<?> work) throws Exception {
    try (var executor = Executors.newFixedThreadPool(threads)) {
      try {
        var running = new ArrayList<Future<?>>();
        for (int i = 0; i < times; i++) {
          running.add(executor.submit(work));
        }
        for (var one : running) {
          one.get(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
        }
      } finally {
        executor.shutdownNow();
      }
    }
  }
}
