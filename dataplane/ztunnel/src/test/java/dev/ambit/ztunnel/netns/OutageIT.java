package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Parts that go away and come back, while traffic must go on or be refused, never be plain. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class OutageIT {
  private static final int PORT = 8080;

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start(Map.of("TERMINATION_GRACE_PERIOD_SECONDS", "150"));
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void withoutTheControlPlaneKnownPodsTalkAndNewOnesWait() throws Exception {
    var client = mesh.captured(mesh.a(), "client");
    var server = mesh.captured(mesh.b(), "server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      try (var open = TcpClient.connect(client, server.at(PORT));
          var wire = PacketCapture.betweenNodes(mesh.network())) {
        mesh.controlPlane().stop();

        assertThat(open.echo("still open")).isEqualTo("still open");
        Calls.answered(client, server.at(PORT));
        Calls.answered(client, server.at6(PORT));
        assertThat(mesh.a().ztunnel().isReady()).isTrue();

        var latecomer = mesh.unknown(mesh.a(), "latecomer");
        PodRedirection.apply(latecomer);
        var handingOver = Thread.ofPlatform().start(() -> mesh.a().agent().handOver(latecomer));
        var marker = Calls.marker();
        Calls.refused(latecomer, server.at(PORT), marker);
        assertThat(wire.shows(marker)).isFalse();

        mesh.controlPlane().start();
        mesh.controlPlane().announce(WorkloadResource.captured(latecomer));
        handingOver.join(Patience.LONG);
        Calls.becomesAnswered(latecomer, server.at(PORT));
        assertThat(open.echo("at the end")).isEqualTo("at the end");
        mesh.awaitDiscovery(2);
      }
    }
  }

  @Test
  void aPodThatLeftWhileTheControlPlaneWasAwayIsForgotten() throws IOException {
    var client = mesh.captured(mesh.a(), "witness");
    var server = mesh.captured(mesh.b(), "leaver");
    try (var echo = TcpServer.echo(server, PORT);
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      Calls.answered(client, server.at(PORT));
      mesh.controlPlane().stop();
      mesh.b().agent().release(server, Duration.ofSeconds(1));
      PodRedirection.remove(server);
      mesh.controlPlane()
          .discovery()
          .set(server.workloadUid(), WorkloadResource.plain(server).address());
      mesh.controlPlane().start();
      mesh.awaitDiscovery(2);
      var marker = Calls.marker();
      Calls.answered(client, server.at(PORT), marker);
      assertThat(wire.shows(marker)).isTrue();
    }
  }

  @Test
  void aTerminatedZtunnelLetsOpenConnectionsFinish() throws IOException {
    var client = mesh.captured(mesh.a(), "draining-client");
    var server = mesh.captured(mesh.b(), "draining-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      var outgoing = TcpClient.connect(client, server.at(PORT));
      assertThat(outgoing.echo("before")).isEqualTo("before");
      var ending = mesh.a().ztunnel();

      ending.terminate();
      mesh.a().agent().awaitZtunnels(0);
      Calls.becomesRefused(client, server.at(PORT));
      assertThat(ending.isAlive()).isTrue();
      for (int i = 0; i < 10; i++) {
        assertThat(outgoing.echo("during" + i)).isEqualTo("during" + i);
      }
      outgoing.finishSending();
      assertThat(outgoing.receiveAll()).isEmpty();
      outgoing.close();

      // Nothing is left to wait for, so it does not use up its time.
      assertThat(ending.awaitExit(Patience.LONG)).isIn(0, 143);

      restart(mesh.a());
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void aTerminatedZtunnelCutsOffWhatHasNotFinishedInTime() throws IOException {
    mesh.b().ztunnel().kill();
    mesh.b().startZtunnel(Map.of("TERMINATION_GRACE_PERIOD_SECONDS", "17"));
    mesh.b().awaitReady();
    mesh.b().agent().awaitZtunnels(1);
    var client = mesh.captured(mesh.a(), "endless-client");
    var server = mesh.captured(mesh.b(), "endless-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      var incoming = TcpClient.connect(client, server.at(PORT));
      assertThat(incoming.echo("before")).isEqualTo("before");
      var endingToo = mesh.b().ztunnel();
      endingToo.terminate();
      mesh.b().agent().awaitZtunnels(0);
      assertThat(incoming.echo("during")).isEqualTo("during");
      Calls.becomesRefused(client, server.at(PORT));
      assertThat(endingToo.awaitExit(Patience.LONG)).isIn(0, 143);
      incoming.awaitEnd();
      incoming.close();
      restart(mesh.b());
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  private static void restart(MeshNode node) {
    node.startZtunnel();
    node.awaitReady();
    node.agent().awaitZtunnels(1);
  }

  @Test
  void aKilledZtunnelMeansRefusedNeverPlainAndItsSuccessorTakesAllPodsBack() throws IOException {
    var client = mesh.captured(mesh.a(), "killed-client");
    var server = mesh.captured(mesh.b(), "killed-server");
    var plain = mesh.uncaptured(mesh.a(), "plain");
    var marker = Calls.marker();
    try (var echo = TcpServer.echo(server, PORT);
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      var open = TcpClient.connect(client, server.at(PORT));
      assertThat(open.echo("before")).isEqualTo("before");

      mesh.a().ztunnel().kill();
      open.awaitEnd();
      open.close();
      for (int i = 0; i < 3; i++) {
        Calls.refused(client, server.at(PORT), marker);
        Calls.refused(client, server.at6(PORT), marker);
      }
      restart(mesh.a());
      Calls.answered(client, server.at(PORT), marker);

      mesh.b().ztunnel().kill();
      Calls.refused(client, server.at(PORT), marker);
      Calls.refused(plain, server.at(PORT));
      restart(mesh.b());
      Calls.becomesAnswered(client, server.at(PORT));
      Calls.answered(plain, server.at(PORT));
      assertThat(wire.shows(marker)).isFalse();
    }
  }

  @Test
  void aSecondZtunnelTakesOverWithoutARefusedConnection() throws IOException {
    var client = mesh.captured(mesh.a(), "handed-client");
    var server = mesh.captured(mesh.b(), "handed-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      var open = TcpClient.connect(client, server.at(PORT));
      assertThat(open.echo("before")).isEqualTo("before");
      var first = mesh.a().ztunnel();
      mesh.a().startZtunnel();
      mesh.a().awaitReady();
      mesh.a().agent().awaitZtunnels(2);
      for (int i = 0; i < 10; i++) {
        Calls.answered(client, server.at(PORT));
      }

      first.terminate();
      mesh.a().agent().awaitZtunnels(1);
      for (int i = 0; i < 20; i++) {
        Calls.answered(client, server.at(PORT));
      }
      assertThat(open.echo("during")).isEqualTo("during");
      open.finishSending();
      assertThat(open.receiveAll()).isEmpty();
      open.close();
      assertThat(first.awaitExit(Patience.LONG)).isIn(0, 143);
      Calls.answered(client, server.at(PORT));
    }
  }

  @Test
  void callsGoOnWhileASecondZtunnelTakesOver() throws Exception {
    var client = mesh.captured(mesh.a(), "busy-client");
    var server = mesh.captured(mesh.b(), "busy-server");
    var over = new java.util.concurrent.atomic.AtomicBoolean();
    var calls = new java.util.concurrent.atomic.AtomicInteger();
    var failures = new java.util.concurrent.ConcurrentLinkedQueue<Throwable>();
    try (var echo = TcpServer.echo(server, PORT)) {
      var callers = new java.util.ArrayList<Thread>();
      for (int i = 0; i < 4; i++) {
        callers.add(
            Thread.ofPlatform()
                .daemon()
                .start(
                    () -> {
                      while (!over.get() && failures.size() < 20) {
                        try {
                          Calls.answered(client, server.at(PORT));
                          calls.incrementAndGet();
                        } catch (Throwable t) {
                          failures.add(t);
                        }
                      }
                    }));
      }
      try {
        for (var node : java.util.List.of(mesh.a(), mesh.b())) {
          var first = node.ztunnel();
          node.startZtunnel();
          node.awaitReady();
          node.agent().awaitZtunnels(2);
          first.terminate();
          assertThat(first.awaitExit(Patience.LONG)).isIn(0, 143);
        }
      } finally {
        over.set(true);
        for (var caller : callers) {
          caller.join(Patience.LONG);
        }
      }
    }
    assertThat(failures).as("failed calls, beside %d good ones", calls.get()).isEmpty();
    assertThat(calls.get()).isGreaterThan(100);
  }

  @Test
  void aNodeThatIsCutOffIsNoticedAndServedAgainAtOnceWhenItIsBack() throws IOException {
    var client = mesh.captured(mesh.a(), "cut-client");
    var server = mesh.captured(mesh.b(), "cut-server");
    var local = mesh.captured(mesh.a(), "local-server");
    try (var echo = TcpServer.echo(server, PORT);
        var localEcho = TcpServer.echo(local, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      // Dropped rather than refused: nobody is told.
      mesh.network()
          .a()
          .host()
          .nft(
              """
              table inet cut {
                chain forward {
                  type filter hook forward priority filter; policy accept;
                  oifname "wire" drop
                  iifname "wire" drop
                }
              }
              """);
      Calls.answered(client, local.at(PORT));
      try (var meanwhile = TcpClient.connect(client, server.at(PORT))) {
        meanwhile.socket().setSoTimeout((int) Patience.LONG.toMillis());
        meanwhile.send("nobody hears");
        meanwhile.awaitEnd();
      }
      open.socket().setSoTimeout((int) Patience.LONG.toMillis());
      open.awaitEnd();
      mesh.network().a().host().nft("delete table inet cut");
      Calls.becomesAnswered(client, server.at(PORT));
    } finally {
      try {
        mesh.network().a().host().nft("delete table inet cut");
      } catch (IllegalStateException alreadyGone) {
        // The test came that far.
      }
    }
  }
}
