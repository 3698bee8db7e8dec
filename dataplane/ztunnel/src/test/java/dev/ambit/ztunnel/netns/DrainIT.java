package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Pods and ztunnels that go away in good order: peers are told, and what is open goes on. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DrainIT {
  private static final int PORT = 8080;
  private static final int NO_ERROR = 0;

  /** An established connection with local port 15008, as the kernel lists it. */
  private static final Pattern TUNNEL =
      Pattern.compile("^ *\\d+: [0-9A-F]+:3AA0 [0-9A-F]+:[0-9A-F]{4} 01 ", Pattern.MULTILINE);

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start(Map.of("CONNECTION_TERMINATION_DEADLINE", "20s"));
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @Test
  void aPodThatTerminatesServesOnAndItsPeersUseNewTunnels() throws IOException {
    var client = mesh.captured(mesh.a(), "client");
    var server = mesh.captured(mesh.b(), "terminating");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      Calls.answered(client, server.at(PORT));
      assertThat(tunnels(server)).isEqualTo(1);

      mesh.b().agent().terminating(server);
      assertThat(open.echo("during")).isEqualTo("during");
      for (int i = 0; i < 5; i++) {
        Calls.answered(client, server.at(PORT));
        Calls.answered(client, server.at6(PORT));
      }
      // Only what carries a connection stays, so nothing is left to be used when the pod is gone.
      awaitTunnels(server, 1);
      assertThat(open.echo("still")).isEqualTo("still");
      open.finishSending();
      assertThat(open.receiveAll()).isEmpty();
      awaitTunnels(server, 0);
    }
    assertThat(errors(client)).isEmpty();
  }

  @Test
  void anIdleTunnelToAPodThatTerminatesIsClosed() throws IOException {
    var client = mesh.captured(mesh.a(), "idle-client");
    var server = mesh.captured(mesh.b(), "idle-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      assertThat(tunnels(server)).isEqualTo(1);
      mesh.b().agent().terminating(server);
      awaitTunnels(server, 0);
    }
  }

  @Test
  void aTunnelToAPodThatTerminatesIsToldWhileItsStreamGoesOn() throws IOException {
    var caller = mesh.uncaptured(mesh.a(), "hand-caller");
    var server = mesh.captured(mesh.b(), "hand-server");
    try (var echo = TcpServer.echo(server, PORT);
        var hbone = tunnel(caller, server)) {
      mesh.b().agent().terminating(server);
      assertThat(hbone.awaitGoAway()).isEqualTo(NO_ERROR);
      hbone.send("goes on");
      assertThat(hbone.receive(7)).isEqualTo("goes on");
    }
  }

  @Test
  void whatIsOpenToAPodThatIsGoneEndsAtOnceWithALastWord() throws IOException {
    var caller = mesh.uncaptured(mesh.a(), "witness");
    var client = mesh.captured(mesh.a(), "witness-app");
    var server = mesh.captured(mesh.b(), "gone");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT));
        var hbone = tunnel(caller, server)) {
      assertThat(open.echo("before")).isEqualTo("before");
      mesh.b().agent().cutOff(server);
      assertThat(hbone.awaitStreamEnd()).as("the stream is reset").isTrue();
      assertThat(hbone.awaitGoAway()).isEqualTo(NO_ERROR);
      assertThat(hbone.isFinished()).isTrue();
      assertThat(open.awaitEnd()).isEqualTo(TcpClient.End.RESET);
    }
    PodRedirection.remove(server);
  }

  @Test
  void aZtunnelThatEndsTellsItsPeersFirstAndGivesOpenStreamsItsTime() throws IOException {
    var caller = mesh.uncaptured(mesh.a(), "patient-caller");
    var server = mesh.captured(mesh.b(), "patient-server");
    try (var echo = TcpServer.echo(server, PORT);
        var hbone = tunnel(caller, server)) {
      var ending = mesh.b().ztunnel();
      ending.terminate();
      assertThat(hbone.awaitGoAway()).isEqualTo(NO_ERROR);
      hbone.send("goes on");
      assertThat(hbone.receive(7)).isEqualTo("goes on");
      // It never ends by itself: time is up, and even then there is a last word.
      hbone.socket().setSoTimeout((int) Patience.LONG.toMillis());
      assertThat(hbone.awaitStreamEnd()).as("the stream is reset").isTrue();
      assertThat(hbone.awaitGoAway()).isEqualTo(NO_ERROR);
      assertThat(ending.awaitExit(Patience.LONG)).isIn(0, 143);
    } finally {
      mesh.b().agent().awaitZtunnels(0);
      mesh.b().startZtunnel();
      mesh.b().awaitReady();
      mesh.b().agent().awaitZtunnels(1);
    }
  }

  private HboneClient tunnel(Pod caller, Pod server) throws IOException {
    var hbone =
        HboneClient.connect(
            caller.host(),
            server.at(15008),
            mesh.authority(),
            mesh.authority().workload(caller.identity()));
    assertThat(hbone.connect(server.ipv4().getHostAddress() + ":" + PORT)).isEqualTo("200");
    hbone.send("opened");
    assertThat(hbone.receive(6)).isEqualTo("opened");
    return hbone;
  }

  private static long tunnels(Pod pod) {
    return pod.host()
        .call(
            () -> {
              long count = 0;
              for (var table : List.of("tcp", "tcp6")) {
                var text = Files.readString(Path.of("/proc/thread-self/net", table));
                count += TUNNEL.matcher(text).results().count();
              }
              return count;
            });
  }

  private static void awaitTunnels(Pod pod, int count) {
    await(count + " tunnels to " + pod)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> tunnels(pod) == count);
  }

  private List<LogLine> errors(Pod client) {
    return mesh.a().ztunnel().log().stream()
        .filter(
            line -> line.has("src.workload", client.name()) && line.fields().containsKey("error"))
        .toList();
  }
}
