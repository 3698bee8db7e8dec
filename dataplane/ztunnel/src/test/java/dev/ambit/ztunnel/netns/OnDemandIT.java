package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.testing.MeshFixtures.hostname;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.waypoint;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** A mesh of which each ztunnel knows only what it was asked for. */
@Timeout(300)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class OnDemandIT {
  private static final int PORT = 8080;

  private Mesh mesh;
  private Pod client;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  OnDemandIT() {}

  @BeforeAll
  void start() {
    mesh =
        Mesh.start(Map.of("XDS_ON_DEMAND", "true", "XDS_ON_DEMAND_UNUSED_RELEASE_TIMEOUT", "25s"));
    client = mesh.captured(mesh.a(), "client");
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private static InetSocketAddress at(String address, int port) {
    return new InetSocketAddress(InetAddress.ofLiteral(address), port);
  }

  private String dump() {
    try {
      return mesh.a().ztunnel().configDump();
    } catch (IOException e) {
      return "";
    }
  }

  @Test
  void podsAndServicesAreAskedForWhenTheyAreCalled() throws IOException {
    var server = mesh.captured(mesh.b(), "wanted");
    var other = mesh.captured(mesh.b(), "unwanted");
    var web = service("shop", "on-demand", "10.98.0.1");
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(WorkloadResource.captured(server).behind(web, 80, PORT));
    var marker = Calls.marker();
    try (var echo = TcpServer.echo(server, PORT);
        var wire = PacketCapture.betweenNodes(mesh.network())) {
      Calls.answered(client, at("10.98.0.1", 80), marker);
      assertThat(dump()).contains(server.workloadUid()).contains(web.getHostname());
      assertThat(dump()).doesNotContain(other.workloadUid());
      assertThat(mesh.controlPlane().discovery().namesSubscribed())
          .contains("/10.98.0.1", client.workloadUid());
      Calls.answered(client, server.at(PORT), marker);
      Calls.answered(client, server.at6(PORT), marker);
      assertThat(wire.shows(marker)).isFalse();
    }
    var headless = mesh.captured(mesh.b(), "wanted-6");
    try (var echo = TcpServer.echo(headless, PORT)) {
      Calls.answered(client, headless.at6(PORT));
    }
    assertThat(mesh.controlPlane().discovery().namesSubscribed())
        .contains("/" + NetUtil.toAddressString(headless.ipv6()));
  }

  @Test
  void whatTheControlPlaneDoesNotKnowIsReachedPlainlyAndBecomesKnown() throws IOException {
    var server = mesh.unknown(mesh.b(), "later");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      assertThat(mesh.controlPlane().discovery().namesSubscribed())
          .contains("/" + server.ipv4().getHostAddress());
      mesh.controlPlane().announce(WorkloadResource.captured(server));
      mesh.b().agent().capture(server);
      var marker = Calls.marker();
      try (var wire = PacketCapture.betweenNodes(mesh.network())) {
        Calls.becomesAnswered(client, server.at(PORT));
        Calls.answered(client, server.at(PORT), marker);
        assertThat(wire.shows(marker)).isFalse();
      }
    }
  }

  @Test
  void aServicesWaypointIsAskedForToo() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp");
    var gateway = service("shop", "wp", "10.98.0.9");
    var web = service("shop", "behind-wp", "10.98.0.2").setWaypoint(waypoint("shop", "wp"));
    mesh.controlPlane().announce(gateway);
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(WorkloadResource.plain(pod).behind(gateway, 15008, 15008));
    try (var waypoint = HboneServer.start(pod, mesh.authority(), "waypoint ")) {
      Calls.answeredWith(client, at("10.98.0.2", 80), "waypoint ");
      assertThat(waypoint.requests().getFirst().authority()).isEqualTo("10.98.0.2:80");
    }
    assertThat(mesh.controlPlane().discovery().namesSubscribed())
        .contains("shop/" + hostname("shop", "wp"));
    // One that does not exist is not gone around.
    mesh.controlPlane()
        .announce(
            service("shop", "behind-nothing", "10.98.0.3").setWaypoint(waypoint("shop", "none")));
    Calls.refused(client, at("10.98.0.3", 80));
  }

  @Test
  void aConnectionWaitsForTheAnswerAndNotForever() throws Exception {
    var server = mesh.captured(mesh.b(), "slow-answer");
    var never = mesh.unknown(mesh.b(), "no-answer");
    var discovery = mesh.controlPlane().discovery();
    try (var echo = TcpServer.echo(server, PORT);
        var plain = TcpServer.echo(never, PORT)) {
      discovery.keepSilent(true);
      try (var connection = TcpClient.connect(client, server.at(PORT))) {
        connection.send("early");
        await("the question")
            .atMost(Patience.MIDDLE)
            .until(
                () -> discovery.namesSubscribed().contains("/" + server.ipv4().getHostAddress()));
        discovery.keepSilent(false);
        assertThat(connection.receive(5)).isEqualTo("early");
      }
      discovery.keepSilent(true);
      // It may be in the mesh, so it is not reached plainly for want of an answer.
      int mark = mesh.a().ztunnel().logSize();
      Calls.refused(client, never.at(PORT));
      assertThat(plain.callers()).isEmpty();
      mesh.a()
          .ztunnel()
          .awaitLog("the reason", mark, line -> line.text().contains("no answer about /10."));
    } finally {
      discovery.keepSilent(false);
    }
  }

  @Test
  void whatIsNotUsedIsGivenBackAndAskedForAgain() throws IOException {
    var server = mesh.captured(mesh.b(), "seldom");
    var web = service("shop", "seldom", "10.98.0.4");
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(WorkloadResource.captured(server).behind(web, 80, PORT));
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, at("10.98.0.4", 80));
      assertThat(dump()).contains(server.workloadUid());
      await("both are given back")
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(200))
          .until(
              () ->
                  !dump().contains(server.workloadUid())
                      && !mesh.controlPlane().discovery().namesSubscribed().contains("/10.98.0.4"));
      assertThat(dump()).as("the pod itself is kept").contains(client.workloadUid());
      Calls.answered(client, at("10.98.0.4", 80));
    }
  }

  @Test
  void afterTheControlPlaneWasAwayAllIsAskedForAgain() throws IOException {
    var server = mesh.captured(mesh.b(), "outage");
    var unasked = mesh.captured(mesh.b(), "asked-meanwhile");
    try (var echo = TcpServer.echo(server, PORT);
        var second = TcpServer.echo(unasked, PORT)) {
      Calls.answered(client, server.at(PORT));
      mesh.controlPlane().stop();
      // What is known stays in force, what is not cannot be found out.
      Calls.answered(client, server.at(PORT));
      Calls.refused(client, unasked.at(PORT));
      mesh.controlPlane().start();
      mesh.awaitDiscovery(2);
      Calls.answered(client, unasked.at(PORT));
      assertThat(mesh.controlPlane().discovery().namesSubscribed())
          .contains("/" + unasked.ipv4().getHostAddress());
    }
  }
}
