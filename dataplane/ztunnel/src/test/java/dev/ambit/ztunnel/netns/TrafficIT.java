package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Faults, further tries, timeouts, ejections, limits and hashing, as a captured client meets them:
 * every endpoint of the waypoint is the end of a tunnel to a pod's ztunnel.
 */
class TrafficIT {
  private static final String USE = "istio.io/use-waypoint: waypoint";
  private static final String HTTP = "{name: http, port: 80, targetPort: 8080}";

  private static WaypointMesh mesh;
  private static Waypoint waypoint;
  private static Pod client;

  @BeforeAll
  static void start() throws Exception {
    mesh = WaypointMesh.start();
    waypoint = mesh.waypoint("waypoint", 1, "service");
    client = mesh.captured(0, "client");
  }

  @AfterAll
  static void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  /** A service of a name and address whose pods are behind the waypoint. */
  private static InetSocketAddress service(String name, String address, String app) {
    mesh.service(name, address, app, USE, HTTP);
    return new InetSocketAddress(address, 80);
  }

  /** A pod that serves, and what it was asked for. */
  private record Server(Pod pod, List<String> paths) {
    static Server start(int node, String app, Function<String, Integer> statuses)
        throws IOException {
      Server server = new Server(mesh.captured(node, app), new CopyOnWriteArrayList<>());
      mesh.closing(
          Web.answer(
              server.pod,
              8080,
              request -> {
                server.paths.add(request.path());
                return new Web.Answer(statuses.apply(request.path()), request.path());
              }));
      return server;
    }

    long asked(String path) {
      return paths.stream().filter(path::equals).count();
    }
  }

  private static Web.Message becomes(InetSocketAddress service, String path, int status) {
    return Web.becomes(client, service, path, answer -> answer.status() == status);
  }

  @Test
  void requestsMeetTheFaultsThatAVirtualServiceMakes() throws IOException {
    Server server = Server.start(1, "faulty", _ -> 200);
    InetSocketAddress service = service("faulty", "10.96.3.1", "faulty");
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: faulty}
        spec:
          hosts: [faulty]
          http:
          - match: [{uri: {prefix: /late}}]
            fault: {delay: {fixedDelay: 400ms, percentage: {value: 100}}}
            route: [{destination: {host: faulty}}]
          - match: [{uri: {prefix: /teapot}}]
            fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
            route: [{destination: {host: faulty}}]
          - route: [{destination: {host: faulty}}]
        """);
    becomes(service, "/teapot", 418);
    int before = server.paths.size();
    assertThat(Web.get(client, service, "/teapot").status()).isEqualTo(418);
    assertThat(server.paths).hasSize(before);

    long begin = System.nanoTime();
    assertThat(Web.get(client, service, "/late").status()).isEqualTo(200);
    // Envoy counts from the beginning of its loop turn, so a timer may seem short by as much.
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThan(Duration.ofMillis(390));
    assertThat(Web.get(client, service, "/").status()).isEqualTo(200);
  }

  @Test
  void aRequestIsTriedAgainAsRoutesOfBothKindsAsk() throws IOException {
    Map<String, Integer> tries = new ConcurrentHashMap<>();
    // Of each path's requests the third is the first that is served.
    Server server =
        Server.start(1, "again", path -> tries.merge(path, 1, Integer::sum) % 3 == 0 ? 200 : 503);
    InetSocketAddress istio = service("again-istio", "10.96.3.2", "again");
    InetSocketAddress gateway = service("again-gateway", "10.96.3.3", "again");
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: again-istio}
        spec:
          hosts: [again-istio]
          http:
          - match: [{uri: {prefix: /once}}]
            retries: {attempts: 0}
            route: [{destination: {host: again-istio}}]
          - retries: {attempts: 3, retryOn: "503", backoff: 1ms}
            route: [{destination: {host: again-istio}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: again-gateway}
        spec:
          parentRefs: [{group: "", kind: Service, name: again-gateway}]
          rules:
          - matches: [{path: {type: PathPrefix, value: /once}}]
            backendRefs: [{name: again-gateway, port: 80}]
          - retry: {codes: [503], attempts: 2, backoff: 1ms}
            backendRefs: [{name: again-gateway, port: 80}]
        """);
    int number = 0;
    for (InetSocketAddress service : List.of(istio, gateway)) {
      String[] path = new String[1];
      int[] next = {100 * ++number};
      await("further tries at " + service)
          .atMost(Patience.LONG)
          .ignoreExceptionsInstanceOf(IOException.class)
          .until(
              () -> {
                path[0] = "/again/" + ++next[0];
                return Web.get(client, service, path[0]).status() == 200;
              });
      assertThat(server.asked(path[0])).isEqualTo(3);
      String once = "/once/" + number;
      assertThat(Web.get(client, service, once).status()).isEqualTo(503);
      assertThat(server.asked(once)).isEqualTo(1);
    }
  }

  @Test
  void aRequestIsTriedAtAnotherPodWhereNobodyListensAtOne() throws IOException {
    Server server = Server.start(1, "half", _ -> 200);
    InetSocketAddress service = service("half", "10.96.3.4", "half");
    becomes(service, "/", 200);
    // Captured, and without a server: its ztunnel refuses the connection inside the tunnel.
    Pod silent = mesh.captured(0, "half");
    await("the waypoint to know " + silent)
        .atMost(Patience.LONG)
        .until(() -> waypoint.inspect("/clusters").body().contains(silent.ipv4().getHostAddress()));
    for (int i = 0; i < 20; i++) {
      assertThat(Web.get(client, service, "/" + i).status()).isEqualTo(200);
      assertThat(server.asked("/" + i)).isEqualTo(1);
    }
  }

  @Test
  void aRequestEndsWithItsTimeout() throws IOException {
    CountDownLatch release = new CountDownLatch(1);
    Server.start(
        1,
        "slow",
        path -> {
          if (path.equals("/slow")) {
            awaitRelease(release);
          }
          return 200;
        });
    InetSocketAddress istio = service("slow-istio", "10.96.3.5", "slow");
    InetSocketAddress gateway = service("slow-gateway", "10.96.3.6", "slow");
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: slow-istio}
        spec:
          hosts: [slow-istio]
          http:
          - timeout: 300ms
            headers: {response: {set: {x-route: "yes"}}}
            route: [{destination: {host: slow-istio}}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: slow-gateway}
        spec:
          parentRefs: [{group: "", kind: Service, name: slow-gateway}]
          rules:
          - timeouts: {request: 300ms}
            filters:
            - type: ResponseHeaderModifier
              responseHeaderModifier: {set: [{name: x-route, value: "yes"}]}
            backendRefs: [{name: slow-gateway, port: 80}]
        """);
    try {
      for (InetSocketAddress service : List.of(istio, gateway)) {
        Web.becomes(client, service, "/", answer -> answer.header("x-route").equals("yes"));
        long begin = System.nanoTime();
        assertThat(Web.get(client, service, "/slow").status()).isEqualTo(504);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
            .isBetween(Duration.ofMillis(290), Patience.SHORT);
        // The client's connection and the tunnels go on.
        assertThat(Web.get(client, service, "/").status()).isEqualTo(200);
      }
    } finally {
      release.countDown();
    }
  }

  private static void awaitRelease(CountDownLatch release) {
    try {
      release.await(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void aPodThatFailsIsEjected() throws IOException {
    Server good = Server.start(1, "ejected", _ -> 200);
    Server bad = Server.start(0, "ejected", path -> path.equals("/good") ? 200 : 500);
    InetSocketAddress service = service("ejected", "10.96.3.7", "ejected");
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: ejected}
        spec:
          host: ejected
          trafficPolicy:
            outlierDetection: {consecutive5xxErrors: 3, interval: 100ms, baseEjectionTime: 600s, maxEjectionPercent: 100}
        """);
    await("both to be asked")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () ->
                Web.get(client, service, "/good").status() == 200
                    && good.asked("/good") > 0
                    && bad.asked("/good") > 0);
    // Envoy's main thread ejects and its workers hear of it, while requests may still go there.
    await("requests that all succeed")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () -> {
              for (int i = 0; i < 30; i++) {
                if (Web.get(client, service, "/").status() != 200) {
                  return false;
                }
              }
              return true;
            });
    long before = bad.asked("/");
    assertThat(before).isGreaterThanOrEqualTo(3);
    for (int i = 0; i < 30; i++) {
      assertThat(Web.get(client, service, "/").header("x-pod")).isEqualTo(good.pod.name());
    }
    assertThat(bad.asked("/")).isEqualTo(before);
  }

  @Test
  void whatIsMoreThanAConnectionPoolTakesIsRefused() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    Server server =
        Server.start(
            1,
            "limited",
            path -> {
              if (path.equals("/hold")) {
                awaitRelease(release);
              }
              return 200;
            });
    InetSocketAddress service = service("limited", "10.96.3.8", "limited");
    becomes(service, "/", 200);
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: limited}
        spec:
          host: limited
          trafficPolicy:
            connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}
        """);
    await("the limits")
        .atMost(Patience.LONG)
        .until(
            () ->
                waypoint
                    .inspect("/clusters")
                    .body()
                    .lines()
                    .anyMatch(
                        line ->
                            line.startsWith("http|shop/limited")
                                && line.endsWith("default_priority::max_connections::1")));
    try (ExecutorService clients = Executors.newCachedThreadPool()) {
      List<Future<Web.Message>> answers = new ArrayList<>();
      try {
        for (int i = 0; i < 6; i++) {
          answers.add(clients.submit(() -> Web.get(client, service, "/hold")));
          if (i == 0) {
            // While its connection is being made, a request counts as one that waits.
            await().atMost(Patience.LONG).until(() -> server.asked("/hold") == 1);
          }
        }
        await("requests that are too many")
            .atMost(Patience.LONG)
            .until(() -> answers.stream().anyMatch(Future::isDone));
      } finally {
        release.countDown();
      }
      List<Integer> statuses = new ArrayList<>();
      for (Future<Web.Message> answer : answers) {
        statuses.add(answer.get(Patience.LONG.toSeconds(), TimeUnit.SECONDS).status());
      }
      assertThat(statuses).containsOnly(200, 503).first().isEqualTo(200);
    }
    assertThat(waypoint.inspect("/stats/prometheus").body().lines())
        .anyMatch(
            line ->
                line.startsWith("istio_requests_total{")
                    && line.contains("destination_service_name=\"limited\"")
                    && line.contains("response_flags=\"UO\""));
    assertThat(Web.get(client, service, "/").status()).isEqualTo(200);
  }

  @Test
  void connectionsOfAClientReachOnePodWhereItsAddressIsHashed() throws Exception {
    for (int i = 0; i < 3; i++) {
      Pod pod = mesh.captured(i % 2, "hashed");
      mesh.closing(
          TcpServer.start(
              pod,
              9000,
              socket ->
                  socket
                      .getOutputStream()
                      .write((pod.name() + "\n").getBytes(StandardCharsets.US_ASCII))));
    }
    mesh.service("hashed", "10.96.3.9", "hashed", USE, "{name: tcp, port: 90, targetPort: 9000}");
    await("connections at each pod")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> reached(client).size() == 3);
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: hashed}
        spec:
          host: hashed
          trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}
        """);
    await("all connections at one pod")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> reached(client).size() == 1);
    Set<String> chosen = new HashSet<>(reached(client));
    for (int i = 0; chosen.size() == 1 && i < 12; i++) {
      Set<String> reached = reached(mesh.captured(i % 2, "hashing"));
      assertThat(reached).hasSize(1);
      chosen.addAll(reached);
    }
    assertThat(chosen).as("pods chosen by the addresses of several clients").hasSizeGreaterThan(1);
  }

  /** The pods that a dozen connections of a client reach. */
  private static Set<String> reached(Pod from) throws IOException {
    Set<String> pods = new HashSet<>();
    for (int i = 0; i < 12; i++) {
      try (TcpClient connection = TcpClient.connect(from, new InetSocketAddress("10.96.3.9", 90))) {
        pods.add(new String(connection.receiveAll(), StandardCharsets.US_ASCII));
      }
    }
    assertThat(pods).doesNotContain("");
    return pods;
  }
}
