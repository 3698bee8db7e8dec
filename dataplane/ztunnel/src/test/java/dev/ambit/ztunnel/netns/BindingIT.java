package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.waypoint.model.WaypointProbe;
import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Services that are bound to a waypoint and let go of it again while requests come in all the time:
 * the nodes hear of it at another moment than the waypoint, and no request is lost.
 */
@Timeout(600)
class BindingIT {
  private static final String USE = "istio.io/use-waypoint: waypoint";
  private static final String PORTS = "{name: http, port: 80, targetPort: 8080}";

  private static WaypointMesh mesh;
  private static Waypoint waypoint;
  private static Pod client;

  @BeforeAll
  static void start() throws Exception {
    mesh = WaypointMesh.start();
    waypoint = mesh.waypoint("waypoint", 1, "service");
    client = mesh.captured(0, "client");
    mesh.closing(Web.serve(mesh.captured(1, "server"), 8080));
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

  /** Answered, and in that way. */
  private static boolean isAnswered(InetSocketAddress service, boolean throughWaypoint) {
    try {
      Web.Message answer = Web.get(client, service, "/");
      return answer.status() == 200 && answer.body().contains("sa/waypoint") == throughWaypoint;
    } catch (IOException notYet) {
      return false;
    }
  }

  private static void becomes(InetSocketAddress service, boolean throughWaypoint) {
    await(service + (throughWaypoint ? " bound" : " not bound"))
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> isAnswered(service, throughWaypoint));
  }

  /** Requests one after another, each over a connection of its own, until it is closed. */
  private static final class Load implements AutoCloseable {
    private final AtomicBoolean ended = new AtomicBoolean();
    private final AtomicInteger answered = new AtomicInteger();
    private final List<String> lost = new CopyOnWriteArrayList<>();
    private final List<Thread> threads = new ArrayList<>();

    Load(InetSocketAddress service, int threads) {
      for (int i = 0; i < threads; i++) {
        this.threads.add(Thread.ofPlatform().name("load").start(() -> run(service)));
      }
    }

    private void run(InetSocketAddress service) {
      while (!ended.get()) {
        try {
          Web.Message answer = Web.get(client, service, "/");
          if (answer.status() == 200) {
            answered.incrementAndGet();
          } else {
            lost.add(answer.first());
          }
        } catch (IOException e) {
          lost.add(e.toString());
        }
      }
    }

    void goesOn() {
      int before = answered.get();
      await("requests that go on")
          .atMost(Patience.LONG)
          .until(() -> answered.get() >= before + 2 * threads.size());
      assertThat(lost).isEmpty();
    }

    @Override
    public void close() throws InterruptedException {
      ended.set(true);
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(lost).isEmpty();
    }
  }

  @Test
  void noRequestIsLostWhileServicesComeAndGo() throws Exception {
    List<InetSocketAddress> services = new ArrayList<>();
    for (int i = 1; i <= 8; i++) {
      mesh.service("coming-" + i, "10.96.2." + i, "server", "", PORTS);
      services.add(at("10.96.2." + i, 80));
    }
    // Not all at once: each is news for the waypoint.
    for (int i = 1; i <= 8; i++) {
      InetSocketAddress service = services.get(i - 1);
      becomes(service, false);
      try (Load load = new Load(service, 3)) {
        load.goesOn();
        mesh.service("coming-" + i, "10.96.2." + i, "server", USE, PORTS);
        becomes(service, true);
        load.goesOn();
        mesh.service("coming-" + i, "10.96.2." + i, "server", "", PORTS);
        becomes(service, false);
        load.goesOn();
      }
    }
  }

  @Test
  void noRequestIsLostWhereTheWaypointHearsOfAServiceLate() throws Exception {
    InetSocketAddress service = at("10.96.1.2", 80);
    mesh.service("late", "10.96.1.2", "server", "", PORTS);
    becomes(service, false);
    try (Load load = new Load(service, 2)) {
      load.goesOn();
      mesh.holdUp(waypoint.pod());
      try {
        mesh.service("late", "10.96.1.2", "server", USE, PORTS);
        await("the ztunnel asking the waypoint for what that does not know")
            .atMost(Patience.LONG)
            .until(() -> waypoint.envoy().logText().contains("10.96.1.2:80"));
      } finally {
        mesh.release(waypoint.pod());
      }
      becomes(service, true);
      load.goesOn();
    }
  }

  @Test
  void whatTheWaypointDoesNotServeIsRefused() throws Exception {
    mesh.service("bound", "10.96.1.3", "server", USE, PORTS);
    becomes(at("10.96.1.3", 80), true);
    // The service has no such port, which the client's node knows too: nothing is waited for.
    long begin = System.nanoTime();
    org.assertj.core.api.Assertions.assertThatThrownBy(
            () -> Web.get(client, at("10.96.1.3", 81), "/"))
        .isInstanceOf(IOException.class);
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(15));
  }

  private static double past(boolean letIn) {
    return past("past", letIn);
  }

  private static double past(String service, boolean letIn) {
    return mesh.ztunnel(1)
        .metrics()
        .sum(
            "ambit_connections_past_waypoint_total",
            Map.of(
                "destination_service",
                service + ".shop.svc.cluster.local",
                "destination_service_namespace",
                "shop",
                "let_in",
                Boolean.toString(letIn)));
  }

  @Test
  void whatGoesPastTheWaypointIsCounted() throws Exception {
    Pod pod = mesh.captured(1, "past");
    mesh.closing(Web.serve(pod, 8080));
    Pod plain = mesh.uncaptured(0, "plain");
    mesh.service("past", "10.96.1.4", "past", USE, PORTS);
    becomes(at("10.96.1.4", 80), true);
    double before = past(true);
    // Through it: nothing to count.
    assertThat(Web.get(client, at("10.96.1.4", 80), "/").status()).isEqualTo(200);
    assertThat(past(true)).isEqualTo(before);

    assertThat(Web.get(plain, pod.at(8080), "/").status()).isEqualTo(200);
    assertThat(Web.get(client, pod.at(8080), "/").status()).isEqualTo(200);
    await("two connections counted").atMost(Patience.LONG).until(() -> past(true) == before + 2);
    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: past}
        spec:
          targetRefs: [{group: "", kind: Service, name: past}]
          rules: [{to: [{operation: {methods: [GET]}}]}]
        """);
    await("one refused")
        .atMost(Patience.LONG)
        .until(
            () -> {
              try {
                Web.get(plain, pod.at(8080), "/");
              } catch (IOException refused) {
                // That is what is waited for.
              }
              return past(false) > 0;
            });
    assertThat(Web.get(client, at("10.96.1.4", 80), "/").status()).isEqualTo(200);
  }

  @Test
  void aWaypointAnswersAProbeItself() throws Exception {
    Pod prober = mesh.uncaptured(0, "prober");
    SSLContext identity = mesh.sidecar(prober);
    InetSocketAddress proxy = waypoint.pod().at(15008);
    await("an answer through a tunnel")
        .atMost(Patience.LONG)
        .ignoreExceptions()
        .untilAsserted(
            () -> {
              try (HboneClient hbone = HboneClient.connect(prober.host(), proxy, identity)) {
                assertThat(hbone.connect(WaypointProbe.AUTHORITY)).isEqualTo("200");
                hbone.send("GET " + WaypointProbe.PATH + " HTTP/1.1\r\nhost: probe\r\n\r\n");
                assertThat(hbone.receive(15))
                    .startsWith("HTTP/1.1 200 OK")
                    .contains(WaypointProbe.ANSWER);
              }
            });
  }

  /** The status of the tunnel, and then of a request through it with its body. */
  private static String ask(InetSocketAddress proxy, SSLContext sidecar, Pod from, String authority)
      throws IOException {
    try (HboneClient hbone = HboneClient.connect(from.host(), proxy, sidecar)) {
      String status = hbone.connect(authority);
      if (!status.equals("200")) {
        return status;
      }
      hbone.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
      // The server's own answer ends with the headers that it got, any other with its connection.
      StringBuilder answer = new StringBuilder();
      try {
        while (!answer.toString().endsWith("}")) {
          answer.append(hbone.receive(1));
        }
      } catch (IOException ended) {
        assertThat(answer).isNotEmpty();
      }
      return answer.toString();
    }
  }

  @Test
  void aSidecarIsReportedAndRefusedWhereItGoesPastTheWaypointAndJudgedWhereItDoesNot()
      throws Exception {
    Pod pod = mesh.captured(1, "aside");
    mesh.closing(Web.serve(pod, 8080));
    Pod legacy = mesh.uncaptured(0, "legacy");
    SSLContext sidecar = mesh.sidecar(legacy);
    mesh.service("aside", "10.96.1.5", "aside", USE, PORTS);
    becomes(at("10.96.1.5", 80), true);
    String direct = pod.ipv4().getHostAddress() + ":8080";
    double before = past("aside", true);
    assertThat(ask(pod.at(15008), sidecar, legacy, direct))
        .contains("200 OK")
        .doesNotContain("sa/waypoint");
    await("the connection counted")
        .atMost(Patience.LONG)
        .until(() -> past("aside", true) == before + 1);

    // One that knows of the waypoint is a client as any other, under its own name.
    assertThat(ask(waypoint.pod().at(15008), sidecar, legacy, "10.96.1.5:80"))
        .contains("200 OK", "URI=" + legacy.identity());

    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: aside}
        spec:
          targetRefs: [{group: "", kind: Service, name: aside}]
          rules:
          - from: [{source: {serviceAccounts: [client]}}]
            to: [{operation: {methods: [GET]}}]
        """);
    await("the way past the waypoint closed")
        .atMost(Patience.LONG)
        // Misdirected: it belongs to the waypoint.
        .until(() -> ask(pod.at(15008), sidecar, legacy, direct).equals("421"));
    assertThat(past("aside", false)).isPositive();
    assertThat(ask(waypoint.pod().at(15008), sidecar, legacy, "10.96.1.5:80")).contains("403");
    assertThat(Web.get(client, at("10.96.1.5", 80), "/").status()).isEqualTo(200);
  }

  /** What a sidecar begins its mutual TLS with, at the application's own port. */
  private static byte[] sidecarHello(SSLContext sidecar) throws IOException {
    SSLEngine engine = sidecar.createSSLEngine();
    engine.setUseClientMode(true);
    SSLParameters parameters = engine.getSSLParameters();
    parameters.setApplicationProtocols(new String[] {"istio"});
    engine.setSSLParameters(parameters);
    ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    engine.wrap(ByteBuffer.allocate(0), hello);
    hello.flip();
    byte[] bytes = new byte[hello.remaining()];
    hello.get(bytes);
    return bytes;
  }

  /** Whether an echo server got these bytes as they are; one who is refused gets none. */
  private static boolean echoes(Pod from, InetSocketAddress server, byte[] bytes) {
    try (TcpClient connection = TcpClient.connect(from, server)) {
      connection.send(bytes);
      byte[] echo = connection.socket().getInputStream().readNBytes(bytes.length);
      if (echo.length == 0) {
        return false;
      }
      assertThat(echo).isEqualTo(bytes);
      return true;
    } catch (SocketTimeoutException hanging) {
      throw new AssertionError(from + " is left hanging by " + server, hanging);
    } catch (IOException refused) {
      return false;
    }
  }

  private static void becomesRefused(Pod from, InetSocketAddress server, byte[] bytes) {
    await(from + " refused by " + server)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> !echoes(from, server, bytes));
  }

  @Test
  void aSidecarsTlsAtTheApplicationsPortIsAConnectionAsAnyOther() throws Exception {
    Pod open = mesh.captured(1, "tls-open");
    Pod strict = mesh.captured(1, "tls-strict");
    Pod guarded = mesh.captured(1, "tls-guarded");
    for (Pod pod : List.of(open, strict, guarded)) {
      mesh.closing(TcpServer.echo(pod, 9000));
    }
    Pod sidecar = mesh.uncaptured(0, "with-sidecar");
    byte[] hello = sidecarHello(mesh.sidecar(sidecar));
    String tcp = "{name: tcp, port: 90, targetPort: 9000}";
    mesh.service("tls-guarded", "10.96.1.6", "tls-guarded", USE, tcp);
    InetSocketAddress through = at("10.96.1.6", 90);
    Calls.becomesAnswered(client, through);
    for (Pod pod : List.of(open, strict, guarded)) {
      assertThat(echoes(sidecar, pod.at(9000), hello)).as("%s", pod).isTrue();
    }

    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: tls-strict}
        spec: {selector: {matchLabels: {app: tls-strict}}, mtls: {mode: STRICT}}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: tls-guarded}
        spec:
          targetRefs: [{group: "", kind: Service, name: tls-guarded}]
          rules: [{from: [{source: {serviceAccounts: [client, with-sidecar]}}]}]
        """);
    becomesRefused(sidecar, strict.at(9000), hello);
    becomesRefused(sidecar, guarded.at(9000), hello);
    assertThat(echoes(sidecar, open.at(9000), hello)).isTrue();
    assertThat(echoes(client, strict.at(9000), hello)).isTrue();
    Calls.becomesAnswered(client, through);
  }

  private static void becomesRefused(Pod from, InetSocketAddress server) {
    await(from + " refused by " + server)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(
            () -> {
              try {
                Web.get(from, server, "/");
                return false;
              } catch (SocketTimeoutException hanging) {
                throw new AssertionError(from + " is left hanging by " + server, hanging);
              } catch (IOException refused) {
                return true;
              }
            });
  }

  @Test
  void aLabelHasPodsLetInOnlyTheirWaypoint() throws Exception {
    Pod pod = mesh.captured(1, "required");
    mesh.closing(Web.serve(pod, 8080));
    mesh.closing(Web.serve(pod, 8081));
    Pod plain = mesh.uncaptured(0, "outsider");
    mesh.service("required", "10.96.1.7", "required", USE, PORTS);
    becomes(at("10.96.1.7", 80), true);
    for (Pod from : List.of(client, plain)) {
      assertThat(Web.get(from, pod.at(8080), "/").status()).isEqualTo(200);
    }
    mesh.service(
        "required", "10.96.1.7", "required", USE + ", ambit.dev/require-waypoint: 'true'", PORTS);
    for (Pod from : List.of(client, plain)) {
      becomesRefused(from, pod.at(8080));
      // Another port is none of the service's.
      assertThat(Web.get(from, pod.at(8081), "/").status()).isEqualTo(200);
    }
    assertThat(isAnswered(at("10.96.1.7", 80), true)).isTrue();

    mesh.service(
        "required", "10.96.1.7", "required", USE + ", ambit.dev/require-waypoint: 'false'", PORTS);
    await("pods that are open again")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> Web.get(plain, pod.at(8080), "/").status() == 200);
  }

  @Test
  void aWaypointForNothingIsOneThatMayNotBeUsed() throws Exception {
    mesh.waypoint("nothing", 0, "none");
    String use = "istio.io/use-waypoint: nothing";
    mesh.service("barred", "10.96.1.8", "server", use, PORTS);
    mesh.service(
        "bypassing",
        "10.96.1.9",
        "server",
        use + ", ambit.dev/waypoint-when-missing: Bypass",
        PORTS);
    becomes(at("10.96.1.9", 80), false);
    becomesRefused(client, at("10.96.1.8", 80));
    assertThat(isAnswered(at("10.96.1.9", 80), false)).isTrue();
  }
}
