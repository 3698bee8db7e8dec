package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.protocol.security.Action;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/**
 * Two meshes in one cluster whose authorities are intermediates of one root, as with {@code
 * cacerts}: ours and another's, whose pods speak HBONE themselves or by the other's proxies.
 */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SharedRootIT {
  private static final int PORT = 8080;
  private static final String GREETING = "from the other mesh ";

  private Mesh mesh;
  private TestAuthority others;
  private Pod theirs;
  private Pod client;
  private Pod server;
  private TcpServer echo;

  @BeforeAll
  void start() throws IOException {
    mesh = Mesh.start();
    others = mesh.authority().ofAnotherMesh();
    theirs = mesh.uncaptured(mesh.a(), "theirs");
    client = mesh.captured(mesh.a(), "client");
    server = mesh.captured(mesh.b(), "server");
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

  private String call(Pod destination, TestAuthority authority) throws IOException {
    try (var hbone =
        HboneClient.connect(
            theirs.host(),
            destination.at(HboneServer.PORT),
            authority,
            authority.workload(theirs.identity()))) {
      return hbone.connect(destination.ipv4().getHostAddress() + ":" + PORT);
    }
  }

  @Test
  void theirPodsAreLetInAndTrustOurs() throws IOException {
    // The caller itself checks that the server's certificate leads to its own root.
    assertThat(call(server, others)).isEqualTo("200");
  }

  @Test
  void policiesSeeTheirIdentities() throws IOException {
    var guarded = mesh.captured(mesh.b(), "guarded");
    mesh.controlPlane()
        .enforce(
            Policies.of("shop", "not-theirs", Action.DENY, Policies.principal(theirs)).build());
    mesh.controlPlane().announce(WorkloadResource.captured(guarded).selectedBy("shop/not-theirs"));
    try (var guardedEcho = TcpServer.echo(guarded, PORT)) {
      assertThat(call(guarded, others)).isEqualTo("401");
      assertThat(guardedEcho.callers()).isEmpty();
    }
  }

  @Test
  void ourPodsReachTheirsThatEndHboneThemselves() throws IOException {
    var ending = mesh.uncaptured(mesh.b(), "ending");
    mesh.controlPlane().announce(WorkloadResource.captured(ending));
    try (var hbone = HboneServer.start(ending, others, GREETING);
        var connection = TcpClient.connect(client, ending.at(PORT))) {
      connection.send("hello");
      assertThat(connection.receive(GREETING.length() + 5)).isEqualTo(GREETING + "hello");
      assertThat(hbone.requests())
          .last()
          .satisfies(request -> assertThat(request.caller()).isEqualTo(client.identity()));
    }
  }

  @Test
  void aMeshOfAnotherRootIsNotTrusted() {
    assertThatThrownBy(() -> call(server, new TestAuthority())).isInstanceOf(IOException.class);
  }
}
