package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
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

  @Test
  void aServerThatSpeaksFirstIsHeardThroughTheWaypoint() throws Exception {
    Pod speaker = mesh.captured(1, "speaker");
    mesh.closing(
        TcpServer.start(
            speaker,
            9000,
            socket -> {
              socket.getOutputStream().write("welcome".getBytes(StandardCharsets.US_ASCII));
              socket.getInputStream().transferTo(socket.getOutputStream());
            }));
    mesh.service("tcp", "10.96.0.2", "speaker", USE, "{name: tcp, port: 90, targetPort: 9000}");
    mesh.service(
        "undeclared", "10.96.0.3", "speaker", USE, "{name: x, port: 90, targetPort: 9000}");
    for (String address : List.of("10.96.0.2", "10.96.0.3")) {
      await(address)
          .atMost(Patience.SHORT)
          .ignoreExceptionsInstanceOf(IOException.class)
          .untilAsserted(
              () -> {
                try (TcpClient connection = TcpClient.connect(client, at(address, 90))) {
                  assertThat(connection.receive(7)).isEqualTo("welcome");
                  assertThat(connection.echo("hello")).isEqualTo("hello");
                }
              });
    }
  }

  @Test
  void aWebSocketIsUpgraded() throws Exception {
    mesh.service("socket", "10.96.0.4", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    becomes(at("10.96.0.4", 80), EnvoyIT::throughWaypoint);
    try (Web.Connection connection = Web.connect(client, at("10.96.0.4", 80))) {
      Web.Message answer =
          connection.get("/", "connection: Upgrade", "upgrade: websocket", "content-length: 0");
      assertThat(answer.status()).isEqualTo(101);
      connection.client().send("frames");
      assertThat(connection.in().readNBytes(6)).asString().isEqualTo("frames");
    }
  }

  @Test
  void whatIsAddressedToAPodGoesThroughItsWaypoint() throws Exception {
    Pod pod =
        mesh.captured(
            1, WaypointMesh.NAMESPACE, "own", Map.of("istio.io/use-waypoint", "waypoint"));
    mesh.closing(Web.serve(pod, 8080));
    assertThat(becomes(pod.at(8080), EnvoyIT::throughWaypoint).header("x-pod"))
        .isEqualTo(pod.name());
  }

  @Test
  void theAnswerBeforeAConnectionsEndArrivesWhole() throws Exception {
    mesh.service("ending", "10.96.0.7", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    mesh.service("ending-x", "10.96.0.8", "server", USE, "{name: x, port: 80, targetPort: 8080}");
    Pod pod =
        mesh.captured(
            1, WaypointMesh.NAMESPACE, "ending", Map.of("istio.io/use-waypoint", "waypoint"));
    mesh.closing(Web.serve(pod, 8080));
    for (InetSocketAddress address :
        List.of(at("10.96.0.7", 80), at("10.96.0.8", 80), pod.at(8080))) {
      becomes(address, EnvoyIT::throughWaypoint);
      for (int size : List.of(10, 10, 10, 300_000)) {
        try (Web.Connection connection = Web.connect(client, address)) {
          Web.Message answer = connection.get("/bytes/" + size, "connection: close");
          assertThat(answer.body()).as("%s", address).hasSize(size);
          assertThat(connection.client().awaitEnd()).isEqualTo(TcpClient.End.FINISHED);
        }
      }
    }
  }

  @Test
  void aPolicyJudgesTheClientThatItsCertificateProves() throws Exception {
    mesh.service("guarded", "10.96.0.5", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    becomes(at("10.96.0.5", 80), EnvoyIT::throughWaypoint);
    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: guarded}
        spec:
          targetRefs: [{group: "", kind: Service, name: guarded}]
          action: ALLOW
          rules:
          - from: [{source: {principals: [cluster.local/ns/shop/sa/other]}}]
            to: [{operation: {methods: [GET]}}]
        """);
    becomes(at("10.96.0.5", 80), answer -> answer.status() == 403);
    Pod other = mesh.captured(0, "other");
    assertThat(Web.get(other, at("10.96.0.5", 80), "/").status()).isEqualTo(200);
  }

  @Test
  void nobodyActsAsAnotherWhileConnectionsAreAborted() throws Exception {
    mesh.service("shared", "10.96.0.6", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    becomes(at("10.96.0.6", 80), EnvoyIT::throughWaypoint);
    List<Pod> clients = List.of(client, mesh.captured(0, "second"), mesh.captured(0, "third"));
    AtomicInteger checked = new AtomicInteger();
    List<String> mixed = new CopyOnWriteArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      Pod from = clients.get(i % clients.size());
      Random random = new Random(i);
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    while (checked.get() < 4000) {
                      try (Web.Connection connection = Web.connect(from, at("10.96.0.6", 80))) {
                        for (int n = random.nextInt(1, 6); n > 0; n--) {
                          Web.Message answer = connection.get("/");
                          checked.incrementAndGet();
                          if (!answer.body().contains("URI=" + from.identity())) {
                            mixed.add(from + ": " + answer);
                          }
                        }
                        if (random.nextBoolean()) {
                          connection.send("/");
                          connection.client().reset();
                        }
                      } catch (IOException aborted) {
                        mixed.add(from + ": " + aborted);
                      }
                    }
                  }));
    }
    for (Thread thread : threads) {
      thread.join(Patience.LONG);
    }
    assertThat(mixed).isEmpty();
    assertThat(checked.get()).isGreaterThanOrEqualTo(4000);
  }
}
