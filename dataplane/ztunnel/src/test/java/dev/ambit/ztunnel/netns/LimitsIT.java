package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Callers that take their time, or more than their share; with limits so low that they are met. */
@Timeout(300)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LimitsIT {
  private static final int PORT = 8080;
  private static final int PENDING_OF_ONE = 10;
  private static final int PENDING_OF_ALL = 15;
  private static final int TUNNELS_OF_ONE = 20;

  private Mesh mesh;
  private Pod attacker;
  private Pod caller;
  private Pod server;
  private TcpServer echo;

  @BeforeAll
  void start() throws IOException {
    mesh =
        Mesh.start(
            Map.of(
                "INBOUND_PENDING_TUNNELS_PER_SOURCE",
                String.valueOf(PENDING_OF_ONE),
                "INBOUND_PENDING_TUNNELS",
                String.valueOf(PENDING_OF_ALL),
                "INBOUND_TUNNELS_PER_SOURCE",
                String.valueOf(TUNNELS_OF_ONE),
                "INBOUND_TUNNEL_IDLE_TIMEOUT",
                "5s",
                "TLS_HANDSHAKE_TIMEOUT",
                "4s",
                "AMBIT_JVM_OPTIONS",
                "-Dio.netty.leakDetection.level=simple"));
    attacker = mesh.uncaptured(mesh.a(), "attacker");
    caller = mesh.captured(mesh.a(), "caller");
    server = mesh.captured(mesh.b(), "server");
    echo = TcpServer.echo(server, PORT);
    Calls.answered(caller, server.at(PORT));
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

  @AfterEach
  void othersAreServed() {
    Calls.becomesAnswered(caller, server.at(PORT));
  }

  private HboneClient hbone(Pod from) throws IOException {
    return HboneClient.connect(
        from.host(),
        server.at(15008),
        mesh.authority(),
        mesh.authority().workload(from.identity()));
  }

  private static void closeAll(List<TcpClient> connections) throws IOException {
    for (var connection : connections) {
      connection.close();
    }
  }

  @Test
  void aStrangerHoldsFewConnectionsAndNotForLong() throws IOException {
    long before = mesh.b().ztunnel().openDescriptors();
    var held = new ArrayList<TcpClient>();
    try {
      for (int i = 0; i < 4 * PENDING_OF_ONE; i++) {
        held.add(TcpClient.connect(attacker, server.at(15008)));
      }
      // Another caller is not kept out by it.
      var other = mesh.uncaptured(mesh.a(), "other");
      try (var hbone = hbone(other)) {
        assertThat(hbone.connect(server.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("200");
      }
      for (var connection : held) {
        connection.socket().setSoTimeout((int) Patience.LONG.toMillis());
        connection.awaitEnd();
      }
    } finally {
      closeAll(held);
    }
    mesh.b()
        .ztunnel()
        .awaitLog("that it had too many", line -> line.text().contains("not proven who it is"));
    await("descriptors are closed again")
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> assertThat(mesh.b().ztunnel().openDescriptors()).isLessThanOrEqualTo(before + 8));
  }

  @Test
  void strangersTogetherOnlyDelayOthers() throws IOException {
    var second = mesh.unknown(mesh.a(), "stranger");
    var fresh = mesh.captured(mesh.a(), "fresh");
    var held = new ArrayList<TcpClient>();
    try {
      for (var from : List.of(attacker, second)) {
        for (int i = 0; i < PENDING_OF_ONE; i++) {
          held.add(TcpClient.connect(from, server.at(15008)));
        }
      }
      Calls.becomesAnswered(fresh, server.at(PORT));
    } finally {
      closeAll(held);
    }
  }

  @Test
  void oneSourceMayHaveOnlySoManyTunnels() throws IOException {
    var greedy = mesh.uncaptured(mesh.a(), "greedy");
    var target = server.ipv4().getHostAddress() + ":" + PORT;
    var open = new ArrayList<HboneClient>();
    try {
      for (int i = 0; i < TUNNELS_OF_ONE; i++) {
        var hbone = hbone(greedy);
        open.add(hbone);
        assertThat(hbone.connect(target)).isEqualTo("200");
      }
      assertThat(statusOfOneMore(greedy, target)).isNotEqualTo("200");
    } finally {
      for (var hbone : open) {
        hbone.close();
      }
    }
    await("there is room again")
        .atMost(Patience.LONG)
        .until(() -> statusOfOneMore(greedy, target).equals("200"));
  }

  private String statusOfOneMore(Pod from, String target) {
    try (var hbone = hbone(from)) {
      return hbone.connect(target);
    } catch (IOException refused) {
      return "refused";
    }
  }

  @Test
  void aServerThatNeverSpeaksRefusesItsCallersOnly() throws IOException {
    var silent = mesh.unknown(mesh.b(), "silent");
    mesh.controlPlane().announce(WorkloadResource.captured(silent));
    var over = new CountDownLatch(1);
    try (var listening = TcpServer.start(silent, 15008, socket -> hold(over))) {
      Calls.refused(caller, silent.at(PORT));
      assertThat(listening.callers()).isNotEmpty();
    } finally {
      over.countDown();
    }
  }

  private static void hold(CountDownLatch over) {
    try {
      over.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aTunnelThatCarriesNothingIsClosed() throws IOException {
    try (var hbone = hbone(attacker)) {
      hbone.expectStream(1);
      hbone.awaitEnd();
    }
  }

  @Test
  void whatNobodyReadsDoesNotTakeTheMemoryOfAll() throws Exception {
    // So that little fits between the ztunnel and the application.
    var stalled = mesh.captured(mesh.b(), "stalled");
    for (var setting : List.of("tcp_wmem", "tcp_rmem")) {
      Command.runWithInput(
          "",
          stalled
              .host()
              .command(
                  List.of("sh", "-c", "echo 4096 16384 65536 > /proc/sys/net/ipv4/" + setting)));
    }
    var over = new CountDownLatch(1);
    TcpServer.Conversation never = socket -> hold(over);
    long before = mesh.b().ztunnel().residentKibibytes();
    int mark = mesh.b().ztunnel().logSize();
    var hoarders = new ArrayList<HboneClient>();
    try (var application = TcpServer.start(stalled, PORT, never)) {
      var target = stalled.ipv4().getHostAddress() + ":" + PORT;
      for (int i = 0; i < 16; i++) {
        var hbone =
            HboneClient.connect(
                attacker.host(),
                stalled.at(15008),
                mesh.authority(),
                mesh.authority().workload(attacker.identity()));
        hoarders.add(hbone);
        Thread.ofPlatform().daemon().start(() -> hoard(hbone, target));
      }
      await("tunnels that hold too much, and are not drained, are cut")
          .atMost(Patience.LONG)
          .until(
              () -> {
                Calls.answered(caller, server.at(PORT));
                // The application ends nothing, and neither do the callers.
                return mesh.b().ztunnel().log().stream()
                    .skip(mark)
                    .anyMatch(
                        line ->
                            line.isConnectionComplete()
                                && line.has("dst.workload", stalled.name()));
              });
      assertThat(mesh.b().ztunnel().residentKibibytes() - before)
          .as("growth of resident memory in KiB, of which buffers may take 256 MiB")
          .isLessThan(320 << 10);
    } finally {
      over.countDown();
      for (var hbone : hoarders) {
        hbone.reset();
      }
    }
    await("all of it is given up")
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        mesh.b()
                            .ztunnel()
                            .metrics()
                            .sum("istio_tcp_sockets_open", Map.of("reporter", "destination")))
                    .isLessThanOrEqualTo(1));
  }

  /** Fills the windows of sixteen streams, and stays. */
  private static void hoard(HboneClient hbone, String target) {
    var piece = new byte[16_000];
    try {
      for (int i = 0; i < 16; i++) {
        int stream = 2 * i + 1;
        hbone.frame(1, 4, stream, hbone.connectHeaders(stream, target));
      }
      for (int sent = 0; sent + piece.length < 1 << 20; sent += piece.length) {
        for (int i = 0; i < 16; i++) {
          hbone.frame(0, 0, 2 * i + 1, piece);
        }
      }
      hbone.expectStream(999);
      hbone.awaitEnd();
    } catch (IOException cut) {
      // As it should be.
    }
  }
}
