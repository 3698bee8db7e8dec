package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Certificates that their issuer has taken back, on either side of a tunnel. */
@Timeout(300)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RevocationIT {
  private static final int PORT = 8080;

  @TempDir static Path folder;

  private Mesh mesh;
  private Path listOfA;
  private Path listsOfB;

  @BeforeAll
  void start() throws IOException {
    // Of the client's node a file, of the server's a folder as Kubernetes mounts a ConfigMap.
    listOfA = folder.resolve("revoked.pem");
    listsOfB = Files.createDirectory(folder.resolve("lists"));
    mesh = Mesh.withoutZtunnels(Map.of());
    mesh.a().startZtunnel(Map.of("CRL_PATH", listOfA.toString()));
    mesh.b().startZtunnel(Map.of("CRL_PATH", listsOfB.toString()));
    mesh.a().awaitReady();
    mesh.b().awaitReady();
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private void publishToA(String lists) throws IOException {
    var written = Files.writeString(folder.resolve("written"), lists);
    Files.move(written, listOfA, StandardCopyOption.ATOMIC_MOVE);
  }

  /** As the kubelet does it: a new folder, to which a symbolic link is moved. */
  private void publishToB(String lists) throws IOException {
    var version = Files.createTempDirectory(listsOfB, "..version");
    Files.writeString(version.resolve("crl.pem"), lists);
    var link = Files.createSymbolicLink(listsOfB.resolve("..new"), version.getFileName());
    Files.move(link, listsOfB.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
    var file = listsOfB.resolve("crl.pem");
    if (!Files.isSymbolicLink(file)) {
      Files.createSymbolicLink(file, Path.of("..data", "crl.pem"));
    }
  }

  private static void awaitRead(MeshNode node, int from) {
    node.ztunnel()
        .awaitLog(
            "that lists were read", from, line -> line.text().contains("revocation lists read"));
  }

  private static void assertCounted(MeshNode node, String reporter) {
    await("the count of the " + reporter)
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> {
              var metrics = node.ztunnel().metrics();
              assertThat(
                      metrics.sum(
                          "istio_crl_policy_rejections_total", Map.of("reporter", reporter)))
                  .isGreaterThanOrEqualTo(1);
              assertThat(
                      metrics.sum(
                          "istio_tcp_connections_failed_total",
                          Map.of("reporter", reporter, "response_flags", "CERT_REVOKED")))
                  .isGreaterThanOrEqualTo(1);
            });
  }

  @Test
  void aCallerWhoseCertificateIsRevokedIsRejectedUntilTheListIsCleared() throws IOException {
    var client = mesh.captured(mesh.a(), "revoked-client");
    var other = mesh.captured(mesh.a(), "good-client");
    var server = mesh.captured(mesh.b(), "inbound-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(other, server.at(PORT));
      await("the client has a certificate")
          .atMost(Patience.LONG)
          .until(() -> mesh.controlPlane().certificates().signed(client.identity()) > 0);
      int mark = mesh.b().ztunnel().logSize();
      publishToB(mesh.authority().revoking(client.identity()));
      awaitRead(mesh.b(), mark);
      Calls.refused(client, server.at(PORT));
      Calls.answered(other, server.at(PORT));
      assertThat(
              mesh.b()
                  .ztunnel()
                  .metrics()
                  .sum("istio_crl_policy_rejections_total", Map.of("reporter", "destination")))
          .isGreaterThanOrEqualTo(1);
      mesh.b()
          .ztunnel()
          .awaitLog(
              "why it was rejected",
              mark,
              line ->
                  line.text().contains("connection failed")
                      && line.text().contains("is revoked since"));

      publishToB(mesh.authority().revoking());
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void aServerWhoseCertificateIsRevokedIsNotTalkedTo() throws IOException {
    var client = mesh.captured(mesh.a(), "outbound-client");
    var server = mesh.captured(mesh.b(), "revoked-server");
    var good = mesh.captured(mesh.b(), "good-server");
    try (var echo = TcpServer.echo(server, PORT);
        var goodEcho = TcpServer.echo(good, PORT)) {
      await("the server has a certificate")
          .atMost(Patience.LONG)
          .until(() -> mesh.controlPlane().certificates().signed(server.identity()) > 0);
      int mark = mesh.a().ztunnel().logSize();
      publishToA(mesh.authority().revoking(server.identity()));
      awaitRead(mesh.a(), mark);
      Calls.refused(client, server.at(PORT));
      assertThat(echo.callers()).isEmpty();
      Calls.answered(client, good.at(PORT));
      assertCounted(mesh.a(), "source");

      // Clearing by removal, unlike by a list without entries.
      Files.delete(listOfA);
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void anOpenTunnelOfACallerIsCutWhenItsCertificateIsRevoked() throws IOException {
    var client = mesh.captured(mesh.a(), "cut-client");
    var other = mesh.captured(mesh.a(), "kept-client");
    var server = mesh.captured(mesh.b(), "cutting-server");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT));
        var kept = TcpClient.connect(other, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      assertThat(kept.echo("before")).isEqualTo("before");
      int mark = mesh.b().ztunnel().logSize();
      publishToB(mesh.authority().revoking(client.identity()));
      assertCut(open);
      assertThat(kept.echo("after")).isEqualTo("after");
      assertCounted(mesh.b(), "destination");
      mesh.b()
          .ztunnel()
          .awaitLog(
              "that its tunnel was cut",
              mark,
              line -> line.text().contains("tunnel cut") && line.has("peer", client.identity()));
      mesh.b()
          .ztunnel()
          .awaitLog(
              "that its connection was cut",
              mark,
              line -> line.isConnectionComplete() && line.text().contains("is revoked since"));
      Calls.refused(client, server.at(PORT));
      publishToB("");
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void anOpenTunnelToAServerIsCutWhenItsCertificateIsRevoked() throws IOException {
    var client = mesh.captured(mesh.a(), "cutting-client");
    var server = mesh.captured(mesh.b(), "cut-server");
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("before")).isEqualTo("before");
      publishToA(mesh.authority().revoking(server.identity()));
      assertCut(open);
      assertCounted(mesh.a(), "source");
      Calls.refused(client, server.at(PORT));
      publishToA("");
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  private static void assertCut(TcpClient open) throws IOException {
    open.socket().setSoTimeout((int) Patience.LONG.toMillis());
    try {
      open.awaitEnd();
    } catch (SocketTimeoutException e) {
      fail("the connection of a revoked peer stays open", e);
    }
  }

  @Test
  void aListThatCannotBeReadLeavesTheLastOneInForceAndIsNamed() throws IOException {
    var client = mesh.captured(mesh.a(), "still-revoked");
    var server = mesh.captured(mesh.b(), "lasting-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      publishToB(mesh.authority().revoking(client.identity()));
      Calls.becomesRefused(client, server.at(PORT));
      int mark = mesh.b().ztunnel().logSize();
      publishToB("-----BEGIN X509 CRL-----\nbm90IGEgbGlzdA==\n-----END X509 CRL-----\n");
      mesh.b()
          .ztunnel()
          .awaitLog(
              "the file's name",
              mark,
              line ->
                  line.text().contains("cannot read revocation lists")
                      && line.text().contains(listsOfB.resolve("crl.pem").toString()));
      Calls.refused(client, server.at(PORT));
      assertThat(mesh.b().ztunnel().metrics().sum("ambit_crl_read_failures_total", Map.of()))
          .isGreaterThanOrEqualTo(1);
      publishToB("");
      Calls.becomesAnswered(client, server.at(PORT));
    }
  }

  @Test
  void whereNoListCouldBeReadYetNobodyIsServed() throws IOException {
    var broken = Files.writeString(folder.resolve("broken.pem"), "no list", StandardCharsets.UTF_8);
    try (var refusing = Mesh.withoutZtunnels(Map.of("CRL_PATH", broken.toString()))) {
      var ztunnel = refusing.a().startZtunnel();
      ztunnel.awaitLog(
          "the file",
          line -> line.text().contains("cannot read") && line.has("file", broken.toString()));
      await("what it waits for")
          .atMost(Patience.LONG)
          .ignoreExceptions()
          .untilAsserted(() -> assertThat(ztunnel.readiness().body()).contains("revocation lists"));
      Files.delete(broken);
      ztunnel.awaitReady();
    }
  }
}
