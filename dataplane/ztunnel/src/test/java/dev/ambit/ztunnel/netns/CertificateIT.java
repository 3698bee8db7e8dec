package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** How identities come from the authority, are renewed, and are missed. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CertificateIT {
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

  @Test
  void renewalKeepsOldConnectionsAndServesNewOnes() throws IOException {
    var certificates = mesh.controlPlane().certificates();
    var lifetime = Duration.ofSeconds(20);
    certificates.lifetime(lifetime);
    try {
      var client = mesh.captured(mesh.a(), "renewing-client");
      var server = mesh.captured(mesh.b(), "renewing-server");
      try (var echo = TcpServer.echo(server, PORT);
          var connection = TcpClient.connect(client, server.at(PORT))) {
        assertThat(connection.echo("at the start")).isEqualTo("at the start");
        long expired = System.nanoTime() + lifetime.toNanos();
        await("both certificates are renewed twice, and the first are over")
            .atMost(Patience.LONG)
            .pollInterval(Duration.ofMillis(250))
            .until(
                () -> {
                  assertThat(connection.echo("meanwhile")).isEqualTo("meanwhile");
                  Calls.answered(client, server.at(PORT));
                  return certificates.signed(client.identity()) >= 3
                      && certificates.signed(server.identity()) >= 3
                      && System.nanoTime() > expired;
                });
        assertThat(connection.echo("at the end")).isEqualTo("at the end");
        // A caller of its own: what is shown to new callers is a certificate that is valid now.
        try (var hbone =
            HboneClient.connect(
                mesh.unknown(mesh.a(), "raw").host(),
                server.at(15008),
                mesh.authority(),
                mesh.authority().workload(client.identity()))) {
          assertThat(hbone.peerIdentity()).isEqualTo(server.identity());
        }
      }
    } finally {
      certificates.lifetime(Duration.ofHours(1));
    }
  }

  @Test
  void aRefusedIdentityRefusesTheCallWithAReasonInTheLogAndHealsByItself() throws IOException {
    var certificates = mesh.controlPlane().certificates();
    certificates.refuse(identity -> identity.contains("/sa/unwanted"));
    try {
      var client = mesh.captured(mesh.a(), "unwanted-client");
      var server = mesh.captured(mesh.b(), "welcome");
      var marker = Calls.marker();
      try (var wire = PacketCapture.betweenNodes(mesh.network());
          var echo = TcpServer.echo(server, PORT)) {
        Calls.refused(client, server.at(PORT), marker);
        assertThat(echo.callers()).isEmpty();
        assertThat(wire.shows(marker)).isFalse();
        mesh.a()
            .ztunnel()
            .awaitLog(
                "the refusal",
                line ->
                    line.text().contains(client.identity())
                        && line.text().contains("the test refuses"));

        certificates.refuse(identity -> false);
        Calls.becomesAnswered(client, server.at(PORT));
      }
    } finally {
      certificates.refuse(identity -> false);
    }
  }

  @Test
  void aServerWithoutACertificateIsNotReachedInPlain() throws IOException {
    var certificates = mesh.controlPlane().certificates();
    certificates.refuse(identity -> identity.contains("/sa/nameless"));
    try {
      var client = mesh.captured(mesh.a(), "named");
      var server = mesh.captured(mesh.b(), "nameless-server");
      var marker = Calls.marker();
      try (var wire = PacketCapture.betweenNodes(mesh.network());
          var echo = TcpServer.echo(server, PORT)) {
        Calls.refused(client, server.at(PORT), marker);
        assertThat(echo.callers()).isEmpty();
        assertThat(wire.shows(marker)).isFalse();
      }
    } finally {
      certificates.refuse(identity -> false);
    }
  }

  @Test
  void podsOfOneIdentityShareOneCertificateAndEachIdentityHasItsOwn() throws IOException {
    var one = mesh.captured(mesh.a(), "sharing");
    var two = mesh.captured(mesh.a(), "sharing");
    var server = mesh.captured(mesh.b(), "sharing-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(one, server.at(PORT));
      Calls.answered(two, server.at(PORT));
    }
    var certificates = mesh.controlPlane().certificates();
    assertThat(certificates.signed(one.identity())).isEqualTo(1);
    assertThat(certificates.signed(server.identity())).isEqualTo(1);
    assertThat(certificates.requests())
        .filteredOn(request -> request.identity().equals(one.identity()))
        .allMatch(request -> request.validitySeconds() == Duration.ofHours(24).toSeconds());
  }

  @Test
  void aServerThatShowsAnotherIdentityThanAnnouncedIsNotTalkedTo() throws IOException {
    var client = mesh.captured(mesh.a(), "careful");
    var impostor = mesh.captured(mesh.b(), "impostor");
    // The clients are told to expect another identity at this address than its ztunnel shows.
    var marker = Calls.marker();
    try (var echo = TcpServer.echo(impostor, PORT)) {
      mesh.controlPlane().announce(WorkloadResource.captured(impostor).withServiceAccount("bank"));
      Calls.refused(client, impostor.at(PORT), marker);
      assertThat(echo.callers()).isEmpty();
    }
  }
}
