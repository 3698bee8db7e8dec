package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.zds.DelWorkload;
import dev.ambit.protocol.zds.WorkloadRequest;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Pods that come and go over ZDS, and node agents that break off or break the protocol. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class NodeAgentProtocolIT {
  private static final int PORT = 8080;

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @AfterEach
  void theZtunnelKeptToTheProtocol() {
    assertThat(mesh.a().agent().violations()).isEmpty();
    assertThat(mesh.b().agent().violations()).isEmpty();
  }

  @Test
  void aConnectionFromBeforeCaptureGoesOn() throws IOException {
    var client = mesh.unknown(mesh.a(), "joining");
    var server = mesh.unknown(mesh.b(), "joining-server");
    try (var echo = TcpServer.echo(server, PORT);
        var before = TcpClient.connect(client, server.at(PORT));
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      assertThat(before.echo("before")).isEqualTo("before");
      mesh.b().agent().capture(server);
      mesh.a().agent().capture(client);
      mesh.controlPlane()
          .announce(WorkloadResource.captured(client), WorkloadResource.captured(server));

      assertThat(before.echo("after")).isEqualTo("after");
      Calls.becomesAnswered(client, server.at(PORT));
      assertThat(wire.portsOpened(client, server)).containsExactly(15008);
    }
  }

  @Test
  void aPodThatLeavesFinishesItsConnectionsAndThenIsFree() throws IOException {
    var client = mesh.captured(mesh.a(), "leaving");
    var server = mesh.captured(mesh.b(), "staying");
    try (var echo = TcpServer.echo(server, PORT);
        var own = TcpServer.echo(client, PORT);
        var open = TcpClient.connect(client, server.at(PORT));
        var opposite = TcpClient.connect(server, client.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      assertThat(opposite.echo("before")).isEqualTo("before");
      mesh.controlPlane().announce(WorkloadResource.plain(client));
      mesh.a().agent().release(client, Duration.ofSeconds(30));

      assertThat(open.echo("during")).isEqualTo("during");
      assertThat(opposite.echo("during")).isEqualTo("during");
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        var marker = Calls.marker();
        Calls.answered(client, server.at(PORT), marker);
        Calls.answered(server, client.at(PORT), marker);
        assertThat(wire.shows(marker)).isTrue();
        assertThat(wire.portsOpened(client, server)).containsExactly(PORT);
      }
      assertNobodyListens(client);
      assertThat(open.echo("at the end")).isEqualTo("at the end");
      assertThat(opposite.echo("at the end")).isEqualTo("at the end");
      assertThat(PodRedirection.socketsInUse(client)).isPositive();
    }
    await("nothing needs the rules any more")
        .atMost(Patience.LONG)
        .until(() -> PodRedirection.socketsInUse(client) == 0);
    PodRedirection.remove(client);
  }

  private static void assertNobodyListens(Pod pod) {
    for (int port : new int[] {15001, 15006, 15008}) {
      await("nobody listens on port %d of %s".formatted(port, pod))
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(50))
          .until(() -> isRefused(pod, port));
    }
  }

  private static boolean isRefused(Pod pod, int port) {
    try (var connection = TcpClient.connect(pod.host(), new InetSocketAddress("127.0.0.1", port))) {
      return false;
    } catch (IOException refused) {
      return true;
    }
  }

  @Test
  void aPodThatLeavesIsCutOffWhenItsTimeIsOver() throws IOException {
    var client = mesh.captured(mesh.a(), "slow-leaver");
    var server = mesh.captured(mesh.b(), "patient");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      mesh.a().agent().release(client, Duration.ofSeconds(1));
      open.awaitEnd();
    }
    PodRedirection.remove(client);
  }

  @Test
  void aPodThatIsGoneLeavesNoSocketBehind() throws IOException {
    var server = mesh.captured(mesh.b(), "witness");
    try (var echo = TcpServer.echo(server, PORT)) {
      var first = mesh.captured(mesh.a(), "gone");
      Calls.answered(first, server.at(PORT));
      mesh.a().agent().forget(first);
      mesh.controlPlane().withdraw(first);
      first.close();
      long before = mesh.a().ztunnel().openDescriptors();
      for (int i = 0; i < 3; i++) {
        var pod = mesh.captured(mesh.a(), "gone");
        Calls.answered(pod, server.at(PORT));
        mesh.a().agent().forget(pod);
        mesh.controlPlane().withdraw(pod);
        pod.close();
      }
      await("descriptors of pods that are gone are closed")
          .atMost(Patience.LONG)
          .untilAsserted(
              () ->
                  assertThat(mesh.a().ztunnel().openDescriptors()).isLessThanOrEqualTo(before + 2));
    }
  }

  @Test
  void aPodHandedOverTwiceIsServedOnce() throws IOException {
    var client = mesh.captured(mesh.a(), "twice");
    var server = mesh.captured(mesh.b(), "once");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      mesh.a().agent().handOver(client);
      assertThat(open.echo("after")).isEqualTo("after");
      Calls.answered(client, server.at(PORT));
      mesh.a().agent().forget(client);
      Calls.becomesRefused(client, server.at(PORT));
    }
  }

  @Test
  void deletingAnUnknownPodIsNoFault() {
    var answers =
        mesh.a()
            .agent()
            .ask(
                WorkloadRequest.newBuilder()
                    .setDel(DelWorkload.newBuilder().setUid("never heard of"))
                    .build());
    assertThat(answers).containsExactly("");
  }

  @Test
  void aRestartedNodeAgentIsFoundAgainAndConnectionsGoOn() throws IOException {
    var client = mesh.captured(mesh.a(), "steady");
    var server = mesh.captured(mesh.b(), "steady-server");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      mesh.a().agent().stop();
      assertThat(open.echo("without")).isEqualTo("without");
      Calls.answered(client, server.at(PORT));

      mesh.a().agent().start();
      mesh.a().agent().awaitZtunnels(1);
      assertThat(open.echo("with the next")).isEqualTo("with the next");
      Calls.answered(client, server.at(PORT));
    }
  }

  @Test
  void aPodThatTheNextSnapshotDoesNotNameIsDropped() throws IOException {
    var dropped = mesh.captured(mesh.a(), "dropped");
    var kept = mesh.captured(mesh.a(), "kept");
    var server = mesh.captured(mesh.b(), "snapshot-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(dropped, server.at(PORT));
      mesh.a().agent().stop();
      mesh.a().agent().forget(dropped);
      mesh.a().agent().start();
      mesh.a().agent().awaitZtunnels(1);
      assertNobodyListens(dropped);
      Calls.answered(kept, server.at(PORT));
    }
  }

  @Test
  void podsThatASnapshotOnlyKeepsGoOn() throws IOException {
    var client = mesh.captured(mesh.a(), "only-kept");
    var server = mesh.captured(mesh.b(), "keep-server");
    mesh.a().agent().keepInsteadOfAdd(true);
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      mesh.a().agent().stop();
      mesh.a().agent().start();
      mesh.a().agent().awaitZtunnels(1);
      assertThat(open.echo("after")).isEqualTo("after");
      Calls.answered(client, server.at(PORT));
    } finally {
      mesh.a().agent().keepInsteadOfAdd(false);
    }
  }

  @Test
  void aMessageThatIsNoMessageIsRefusedAndLogged() throws IOException {
    survives(
        () ->
            mesh.a()
                .agent()
                .provoke("\377\377 not protobuf".getBytes(StandardCharsets.ISO_8859_1)));
  }

  @Test
  void aMessageThatIsTooLongIsRefusedAndLogged() throws IOException {
    survives(() -> mesh.a().agent().provoke(new byte[4096]));
  }

  @Test
  void aMessageOfAnUnknownKindIsRefusedAndLogged() throws IOException {
    survives(() -> mesh.a().agent().provoke(new byte[] {(byte) 0xba, 0x3e, 0}));
  }

  @Test
  void aDescriptorWhereNoneBelongsIsRefusedLoggedAndClosed() throws IOException {
    var pod = mesh.unknown(mesh.a(), "misplaced");
    long before = mesh.a().ztunnel().openDescriptors(pod.host().namespace());
    survives(
        () ->
            mesh.a()
                .agent()
                .provoke(
                    WorkloadRequest.newBuilder()
                        .setDel(DelWorkload.newBuilder().setUid("nobody"))
                        .build(),
                    pod));
    assertThat(before).isZero();
    assertThat(mesh.a().ztunnel().openDescriptors(pod.host().namespace())).isZero();
  }

  @Test
  void anAdditionWithoutADescriptorIsRefusedAndLogged() throws IOException {
    var pod = mesh.unknown(mesh.a(), "bodiless");
    survives(() -> mesh.a().agent().provoke(FakeNodeAgent.addition(pod).toByteArray()));
  }

  private interface Fault {
    List<String> inject();
  }

  private void survives(Fault... faults) throws IOException {
    var client = mesh.captured(mesh.a(), "survivor");
    var server = mesh.captured(mesh.b(), "survivor-server");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      for (Fault fault : faults) {
        int log = mesh.a().ztunnel().logSize();
        assertThat(fault.inject()).singleElement().asString().isNotEmpty();
        mesh.a()
            .ztunnel()
            .awaitLog("a warning", log, line -> line.text().matches("(?i).*\\b(warn|error)\\b.*"));
        mesh.a().agent().awaitZtunnels(1);
      }
      assertThat(open.echo("after")).isEqualTo("after");
      Calls.answered(client, server.at(PORT));
    }
  }
}
