package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What goes through a waypoint, from pod to pod: the real Envoy between two real ztunnels, told
 * what to do by the operator's control plane.
 *
 * <p>To add a test: make a service of an address of its own ({@link WaypointMesh#service}) that
 * uses the waypoint, apply what it is about ({@link WaypointMesh#apply}), and wait for its effect.
 */
class EnvoyIT {
  private static final String USE = "istio.io/use-waypoint: waypoint";

  private static WaypointMesh mesh;
  private static Waypoint waypoint;
  private static Pod client;
  private static Pod server;

  @BeforeAll
  static void start() throws Exception {
    mesh = WaypointMesh.start();
    waypoint = mesh.waypoint("waypoint", 1, "all");
    client = mesh.captured(0, "client");
    server = mesh.captured(1, "server");
    mesh.closing(Web.serve(server, 8080));
  }

  @AfterAll
  static void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private static InetSocketAddress at(String address, int port) {
    try {
      return new InetSocketAddress(InetAddress.getByName(address), port);
    } catch (java.net.UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  /** Asks until the answer is as wanted, which takes a moment after a change. */
  private static Web.Message becomes(
      InetSocketAddress address, java.util.function.Predicate<Web.Message> wanted) {
    Web.Message[] last = new Web.Message[1];
    await("the answer of " + address)
        .atMost(Patience.SHORT)
        .pollInterval(java.time.Duration.ofMillis(50))
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () -> {
              last[0] = Web.get(client, address, "/");
              return wanted.test(last[0]);
            });
    return last[0];
  }

  private static boolean throughWaypoint(Web.Message answer) {
    return answer.status() == 200
        && answer
            .body()
            .contains(
                "By=spiffe://cluster.local/ns/shop/sa/waypoint;"
                    + "URI=spiffe://cluster.local/ns/shop/sa/client");
  }

  @Test
  void requestsOfAServiceGoThroughItsWaypoint() throws IOException {
    mesh.service("web", "10.96.0.1", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    Web.Message answer = becomes(at("10.96.0.1", 80), EnvoyIT::throughWaypoint);
    assertThat(answer.header("x-pod")).isEqualTo(server.name());
    assertThat(answer.body()).contains("x-forwarded-for=" + client.ipv4().getHostAddress());
  }
}
