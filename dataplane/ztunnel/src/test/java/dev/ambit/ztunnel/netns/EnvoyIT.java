package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceResponse;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.logs.v1.ResourceLogs;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

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
    return Web.becomes(client, address, "/", wanted);
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
    // What drains and dry runs are told from is counted, and not all that Envoy could count.
    String port = "http.http|shop/web_shop_svc_cluster_local|80.";
    assertThat(waypoint.inspect("/stats").body())
        .contains(port + "downstream_rq_active", port + "rbac.shadow_denied")
        .doesNotContain(port + "downstream_cx_destroy", "extension_config_discovery.");
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
          .atMost(Patience.LONG)
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
  void aClientMayEndItsSideBeforeTheAnswer() throws Exception {
    Pod late = mesh.captured(1, "late");
    mesh.closing(
        TcpServer.start(
            late,
            9000,
            socket -> {
              byte[] all = socket.getInputStream().readAllBytes();
              socket.getOutputStream().write(all);
            }));
    mesh.service("late", "10.96.1.50", "late", USE, "{name: tcp, port: 90, targetPort: 9000}");
    await("the service")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .untilAsserted(
            () -> {
              for (int i = 0; i < 10; i++) {
                try (TcpClient connection = TcpClient.connect(client, at("10.96.1.50", 90))) {
                  connection.send("hello");
                  connection.finishSending();
                  assertThat(new String(connection.receiveAll(), StandardCharsets.US_ASCII))
                      .isEqualTo("hello");
                }
              }
            });
  }

  @Test
  void theBytesOfAConnectionAreSeenWhileItIsOpen() throws Exception {
    Pod echo = mesh.captured(1, "echo");
    mesh.closing(TcpServer.echo(echo, 9000));
    mesh.service("long", "10.96.1.40", "echo", USE, "{name: tcp, port: 90, targetPort: 9000}");
    await("the service")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .untilAsserted(
            () -> {
              try (TcpClient connection = TcpClient.connect(client, at("10.96.1.40", 90))) {
                assertThat(connection.echo("ready")).isEqualTo("ready");
              }
            });
    try (TcpClient connection = TcpClient.connect(client, at("10.96.1.40", 90))) {
      long before = receivedBytes();
      connection.echo("x".repeat(5000));
      await("its bytes").atMost(Patience.LONG).until(() -> receivedBytes() >= before + 5000);
    }
  }

  private static long receivedBytes() throws IOException {
    return waypoint
        .inspect("/stats/prometheus")
        .body()
        .lines()
        .filter(
            line ->
                line.startsWith(
                    "envoy_tcp_downstream_cx_rx_bytes_total{envoy_tcp_prefix=\"tcp|shop/long_shop_svc_cluster_local|90\"}"))
        .mapToLong(line -> Long.parseLong(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  @Test
  void aSessionStaysAtOneOfSeveralPodsBehindTunnels() throws Exception {
    List<Pod> pods = List.of(mesh.captured(1, "sticky"), mesh.captured(0, "sticky"));
    for (Pod pod : pods) {
      mesh.closing(Web.serve(pod, 8080));
    }
    mesh.service("sticky", "10.96.0.60", "sticky", USE, "{name: http, port: 80, targetPort: 8080}");
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: sticky}
        spec:
          parentRefs: [{group: "", kind: Service, name: sticky}]
          rules:
          - sessionPersistence: {sessionName: session}
            backendRefs: [{name: sticky, port: 80}]
        """);
    InetSocketAddress address = at("10.96.0.60", 80);
    becomes(address, answer -> answer.header("set-cookie").startsWith("session="));
    Set<String> chosen = new HashSet<>();
    await("sessions at both")
        .atMost(Patience.LONG)
        .until(
            () -> {
              Web.Message first = Web.get(client, address, "/");
              String cookie = first.header("set-cookie").split(";", 2)[0];
              for (int i = 0; i < 6; i++) {
                assertThat(Web.get(client, address, "/", "cookie: " + cookie).header("x-pod"))
                    .isEqualTo(first.header("x-pod"));
              }
              chosen.add(first.header("x-pod"));
              return chosen.size() == pods.size();
            });
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
  void callsOfGrpcAreRoutedOneByOne() throws Exception {
    Pod first = mesh.captured(1, "caller-1");
    Pod second = mesh.captured(1, "caller-2");
    for (Pod pod : List.of(first, second)) {
      mesh.closing(GrpcEcho.serve(pod, 9090));
      mesh.service(
          pod.serviceAccount(),
          pod == first ? "10.96.1.1" : "10.96.1.2",
          pod.serviceAccount(),
          USE,
          "{name: grpc, port: 80, targetPort: 9090}");
    }
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {name: calls}
        spec:
          parentRefs: [{group: "", kind: Service, name: caller-1}]
          rules:
          - matches: [{method: {service: test.Echo, method: Talk}}]
            backendRefs: [{name: caller-2, port: 80}]
          - backendRefs: [{name: caller-1, port: 80}]
        """);
    try (GrpcEcho.Client calls = new GrpcEcho.Client(client, at("10.96.1.1", 80))) {
      BlockingQueue<String> heard = new LinkedBlockingQueue<>();
      await("a conversation with the second")
          .atMost(Patience.LONG)
          .ignoreExceptionsInstanceOf(StatusRuntimeException.class)
          .until(
              () -> {
                heard.clear();
                StreamObserver<String> said = calls.talk(collecting(heard));
                said.onNext("one");
                String answer = heard.poll(5, TimeUnit.SECONDS);
                // Each is answered before the next is said.
                said.onNext("two");
                String next = heard.poll(5, TimeUnit.SECONDS);
                said.onCompleted();
                return (second.name() + " one").equals(answer)
                    && (second.name() + " two").equals(next)
                    && "OK".equals(heard.poll(5, TimeUnit.SECONDS));
              });
      assertThat(calls.say("hello")).isEqualTo(first.name() + " hello");
      assertThatThrownBy(() -> calls.say("fail"))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              failure -> {
                assertThat(failure.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
                assertThat(failure.getStatus().getDescription()).isEqualTo("full");
              });
    }
  }

  @Test
  void requestsOverHttp2ThatAreNotGrpcGoThroughIt() throws Exception {
    Pod pod = mesh.captured(1, "second-version");
    mesh.closing(Http2Web.serve(pod, 8080));
    mesh.service(
        "declared-2",
        "10.96.1.60",
        "second-version",
        USE,
        "{name: http2, port: 80, targetPort: 8080}");
    mesh.service(
        "undeclared-2",
        "10.96.1.61",
        "second-version",
        USE,
        "{name: x, port: 80, targetPort: 8080}");
    for (String address : List.of("10.96.1.60", "10.96.1.61")) {
      await(address)
          .atMost(Patience.LONG)
          .ignoreExceptionsInstanceOf(IOException.class)
          .untilAsserted(
              () -> {
                try (Http2Web.Client requests = new Http2Web.Client(client, at(address, 80))) {
                  for (int i = 0; i < 3; i++) {
                    assertThat(requests.get("/" + i))
                        .startsWith("200 " + pod.name())
                        .contains(":path: /" + i, "URI=" + client.identity());
                  }
                }
              });
    }
  }

  private static StreamObserver<String> collecting(BlockingQueue<String> heard) {
    return new StreamObserver<>() {
      @Override
      public void onNext(String text) {
        heard.add(text);
      }

      @Override
      public void onError(Throwable failure) {
        heard.add(failure.toString());
      }

      @Override
      public void onCompleted() {
        heard.add("OK");
      }
    };
  }

  @Test
  void iPv6GoesThroughItAsWell() throws Exception {
    mesh.service("six", "fd00:96::1", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    Web.Message answer = becomes(at("fd00:96::1", 80), EnvoyIT::throughWaypoint);
    assertThat(answer.header("x-pod")).isEqualTo(server.name());
    assertThat(answer.body()).contains("x-forwarded-for=fd00:");
    Pod pod =
        mesh.captured(
            1, WaypointMesh.NAMESPACE, "six", Map.of("istio.io/use-waypoint", "waypoint"));
    mesh.closing(Web.serve(pod, 8080));
    assertThat(becomes(pod.at6(8080), EnvoyIT::throughWaypoint).header("x-pod"))
        .isEqualTo(pod.name());
  }

  @Test
  void whatLeavesTheMeshGoesThroughTheWaypointOfItsServiceEntry() throws Exception {
    Pod outside = mesh.uncaptured(1, "outside");
    mesh.closing(Web.serve(outside, 8080));
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: outside, labels: {istio.io/use-waypoint: waypoint}}
        spec:
          hosts: [api.example.com]
          addresses: [10.96.1.10]
          location: MESH_EXTERNAL
          resolution: STATIC
          ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
          endpoints: [{address: %s}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: outside}
        spec:
          parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: outside}]
          rules:
          - filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: {set: [{name: x-from, value: egress}]}
            backendRefs: [{group: networking.istio.io, kind: ServiceEntry, name: outside, port: 80}]
        """
            .formatted(outside.ipv4().getHostAddress()));
    Web.Message answer =
        becomes(
            at("10.96.1.10", 80),
            found -> throughWaypoint(found) && found.body().contains("x-from=egress"));
    assertThat(answer.header("x-pod")).isEqualTo(outside.name());
  }

  @Test
  void tlsToServersOutsideBeginsInTheWaypoint(@TempDir Path folder) throws Exception {
    TestAuthority authority = new TestAuthority();
    Pod outside = mesh.uncaptured(1, "secure");
    List<String> asked = new CopyOnWriteArrayList<>();
    mesh.closing(
        Web.serveTls(
            outside,
            8443,
            HboneClient.context(authority, authority.serverNamed("secure.example.com")),
            asked::add));
    Path roots = Files.writeString(folder.resolve("roots.pem"), authority.rootPem());
    Path others = Files.writeString(folder.resolve("others.pem"), new TestAuthority().rootPem());
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: secure, labels: {istio.io/use-waypoint: waypoint}}
        spec:
          hosts: [secure.example.com]
          addresses: [10.96.1.70]
          location: MESH_EXTERNAL
          resolution: STATIC
          ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8443}]
          endpoints: [{address: %s}]
        """
            .formatted(outside.ipv4().getHostAddress()));
    mesh.awaitService("secure.example.com");
    InetSocketAddress address = at("10.96.1.70", 80);
    originateTls("secure.example.com", roots);
    Web.Message answer = becomes(address, EnvoyIT::throughWaypoint);
    assertThat(answer.header("x-pod")).isEqualTo(outside.name());
    assertThat(answer.body()).contains("certificate=none");
    assertThat(asked).isNotEmpty().containsOnly("secure.example.com");

    Credentials own = authority.serverNamed("waypoint.example.com");
    originateTls(
        "mode: MUTUAL, sni: secure.example.com, caCertificates: %s, clientCertificate: %s, privateKey: %s"
            .formatted(
                roots,
                Files.writeString(folder.resolve("chain.pem"), own.chainPem()),
                Files.writeString(folder.resolve("key.pem"), own.keyPem())));
    becomes(address, found -> found.body().contains("waypoint.example.com"));

    // A server that is not who is meant, or that nobody vouches for, is not talked to.
    originateTls("other.example.com", roots);
    becomes(address, found -> found.status() == 503 && asked.contains("other.example.com"));
    originateTls("secure.example.com", roots);
    becomes(address, EnvoyIT::throughWaypoint);
    originateTls("secure.example.com", others);
    becomes(address, found -> found.status() == 503);
    for (int i = 0; i < 5; i++) {
      assertThat(Web.get(client, address, "/").status()).isEqualTo(503);
    }
  }

  private static void originateTls(String name, Path roots) {
    originateTls("mode: SIMPLE, sni: %s, caCertificates: %s".formatted(name, roots));
  }

  private static void originateTls(String tls) {
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: secure}
        spec:
          host: secure.example.com
          trafficPolicy: {tls: {%s}}
        """
            .formatted(tls));
  }

  @Test
  void theWaypointLooksUpTheNameOfAServerOutside() throws Exception {
    Pod outside = mesh.uncaptured(1, "looked-up");
    mesh.closing(Web.serve(outside, 80));
    mesh.name("named.example.com", outside);
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: named, labels: {istio.io/use-waypoint: waypoint}}
        spec:
          hosts: [named.example.com]
          addresses: [10.96.1.71]
          location: MESH_EXTERNAL
          resolution: DNS
          ports: [{number: 80, name: http, protocol: HTTP}]
        """);
    mesh.awaitService("named.example.com");
    assertThat(becomes(at("10.96.1.71", 80), EnvoyIT::throughWaypoint).header("x-pod"))
        .isEqualTo(outside.name());
  }

  /** Says which pod it is once a client has said something. */
  private static Pod named(String name) throws IOException {
    Pod pod = mesh.captured(1, name);
    mesh.closing(
        TcpServer.start(
            pod,
            9000,
            socket -> {
              if (socket.getInputStream().read() >= 0) {
                socket
                    .getOutputStream()
                    .write((pod.name() + "\n").getBytes(StandardCharsets.US_ASCII));
              }
            }));
    return pod;
  }

  private static void awaitReached(InetSocketAddress address, byte[] first, Pod pod) {
    await("connections to " + address + " to reach " + pod)
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () -> {
              try (TcpClient connection = TcpClient.connect(client, address)) {
                connection.send(first);
                return connection.receive(pod.name().length()).equals(pod.name());
              }
            });
  }

  @Test
  void connectionsFollowTcpRoutesAndTlsRoutes() throws Exception {
    Pod first = named("routed-1");
    Pod second = named("routed-2");
    mesh.service(
        "routed-1",
        "10.96.1.20",
        "routed-1",
        USE,
        "{name: tcp, port: 90, targetPort: 9000}, {name: tls, port: 91, targetPort: 9000}");
    mesh.service(
        "routed-2",
        "10.96.1.21",
        "routed-2",
        USE,
        "{name: tcp, port: 90, targetPort: 9000}, {name: tls, port: 91, targetPort: 9000}");
    byte[] hello = "hello".getBytes(StandardCharsets.US_ASCII);
    awaitReached(at("10.96.1.20", 90), hello, first);
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: TCPRoute
        metadata: {name: routed}
        spec:
          parentRefs: [{group: "", kind: Service, name: routed-1, port: 90}]
          rules: [{backendRefs: [{name: routed-2, port: 90}]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: TLSRoute
        metadata: {name: routed}
        spec:
          parentRefs: [{group: "", kind: Service, name: routed-1, port: 91}]
          hostnames: [second.example.com]
          rules: [{backendRefs: [{name: routed-2, port: 91}]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: TLSRoute
        metadata: {name: others}
        spec:
          parentRefs: [{group: "", kind: Service, name: routed-1, port: 91}]
          hostnames: ["*.example.com"]
          rules: [{backendRefs: [{name: routed-1, port: 91}]}]
        """);
    awaitReached(at("10.96.1.20", 90), hello, second);
    awaitReached(at("10.96.1.20", 91), clientHello("second.example.com"), second);
    awaitReached(at("10.96.1.20", 91), clientHello("other.example.com"), first);
  }

  /** What a client begins TLS with that wants to talk to a server of that name. */
  private static byte[] clientHello(String name) throws Exception {
    SSLEngine engine = SSLContext.getDefault().createSSLEngine(name, 443);
    engine.setUseClientMode(true);
    ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
    engine.wrap(ByteBuffer.allocate(0), hello);
    hello.flip();
    byte[] bytes = new byte[hello.remaining()];
    hello.get(bytes);
    return bytes;
  }

  @Test
  void spansAndLogsReachCollectorsInTheMesh() throws Exception {
    Pod collector = mesh.captured(1, "collector");
    List<String> posted = new CopyOnWriteArrayList<>();
    List<ResourceLogs> logged = new CopyOnWriteArrayList<>();
    mesh.closing(Web.serve(collector, 4318, posted::add));
    mesh.closing(
        GrpcEcho.serve(
            collector,
            4317,
            new LogsServiceGrpc.LogsServiceImplBase() {
              @Override
              public void export(
                  ExportLogsServiceRequest request,
                  StreamObserver<ExportLogsServiceResponse> answers) {
                logged.addAll(request.getResourceLogsList());
                answers.onNext(ExportLogsServiceResponse.getDefaultInstance());
                answers.onCompleted();
              }
            }.bindService()));
    mesh.service(
        "collector",
        "10.96.1.30",
        "collector",
        "istio.io/use-waypoint: none",
        "{name: grpc, port: 4317}, {name: http, port: 4318}");
    mesh.service("traced", "10.96.1.31", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    mesh.apply(
        """
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata: {name: traced}
        spec:
          targetRefs: [{group: "", kind: Service, name: traced}]
          tracing: [{providers: [{name: spans}], randomSamplingPercentage: 100}]
          accessLogging: [{providers: [{name: logs}]}]
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: collector}
        spec:
          selector: {matchLabels: {app: collector}}
          rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/waypoint]}}]}]
        """);
    await("spans and logs")
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () -> {
              Web.get(client, at("10.96.1.31", 80), "/seen");
              return posted.stream().anyMatch(span -> span.contains("/seen"))
                  && logged.stream().anyMatch(log -> log.toString().contains("/seen"));
            });
    assertThat(posted.getFirst()).contains("POST /v1/traces");
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
  void aServicesPolicyHoldsWhereItsPodsAreAddressedThemselves() throws Exception {
    Pod pod =
        mesh.captured(
            1, WaypointMesh.NAMESPACE, "behind", Map.of("istio.io/use-waypoint", "waypoint"));
    mesh.closing(Web.serve(pod, 8080));
    mesh.closing(Web.serve(pod, 8081));
    mesh.service("behind", "10.96.0.7", "behind", USE, "{name: http, port: 80, targetPort: 8080}");
    becomes(at("10.96.0.7", 80), EnvoyIT::throughWaypoint);
    becomes(pod.at(8080), EnvoyIT::throughWaypoint);
    String policy =
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: behind}
        spec:
          targetRefs: [{group: "", kind: Service, name: behind}]
          action: DENY
          rules: [{to: [{operation: {paths: [/]%s}}]}]
        """;
    mesh.apply(policy.formatted(""));
    becomes(at("10.96.0.7", 80), answer -> answer.status() == 403);
    becomes(pod.at(8080), answer -> answer.status() == 403);
    assertThat(Web.get(client, pod.at(8080), "/other").status()).isEqualTo(200);
    // Another port is none of the service's.
    assertThat(Web.get(client, pod.at(8081), "/").status()).isEqualTo(200);

    // The service's port is not the pod's: it cannot be told what is meant, so nobody gets in.
    mesh.apply(policy.formatted(", ports: ['80']"));
    await("the pod's port closed")
        .atMost(Patience.SHORT)
        .until(
            () -> {
              try {
                return Web.get(client, pod.at(8080), "/other").status() != 200;
              } catch (IOException closed) {
                return true;
              }
            });
    becomes(at("10.96.0.7", 80), answer -> answer.status() == 403);
    assertThat(Web.get(client, at("10.96.0.7", 80), "/other").status()).isEqualTo(200);
    assertThat(Web.get(client, pod.at(8081), "/").status()).isEqualTo(200);
    mesh.delete(io.fabric8.istio.api.security.v1.AuthorizationPolicy.class, "behind");
    becomes(pod.at(8080), EnvoyIT::throughWaypoint);
  }

  @Test
  @ResourceLock(Requirements.PROCESSORS)
  void nobodyActsOrIsJudgedOrLoggedAsAnotherWhileConnectionsAreAborted() throws Exception {
    InetSocketAddress address = at("10.96.0.6", 80);
    List<Pod> principals =
        List.of(mesh.captured(0, "second"), mesh.captured(0, "third"), mesh.captured(1, "fourth"));
    mesh.service("shared", "10.96.0.6", "server", USE, "{name: http, port: 80, targetPort: 8080}");
    becomes(address, EnvoyIT::throughWaypoint);
    mesh.apply(
        """
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata: {name: shared}
        spec:
          targetRefs: [{group: "", kind: Service, name: shared}]
          accessLogging: [{providers: [{name: json}]}]
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: shared}
        spec:
          targetRefs: [{group: "", kind: Service, name: shared}]
          action: ALLOW
          rules:
        """
            + OwnPaths.rules(principals));
    // Asked by one who is none of them: theirs are counted from zero.
    becomes(address, answer -> answer.status() == 403);
    await("the log")
        .atMost(Patience.LONG)
        .until(
            () -> {
              Web.get(client, address, "/logged");
              return waypoint.envoy().logText().contains("/logged");
            });

    OwnPaths load = new OwnPaths(principals, address);
    load.ask(4000);

    assertThat(load.wrong()).isEmpty();
    await("a line in the log of each that was answered")
        .atMost(Patience.LONG)
        .untilAsserted(
            () -> assertThat(load.logged(waypoint)).containsAllEntriesOf(load.answered()));
    await("counts that fit the log")
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(OwnPaths.counted(waypoint, "shared", principals))
                    .isEqualTo(load.countsOf(load.logged(waypoint))));
  }
}
