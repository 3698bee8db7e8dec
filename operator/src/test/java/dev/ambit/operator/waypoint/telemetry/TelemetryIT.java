package dev.ambit.operator.waypoint.telemetry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.Duration;
import com.sun.net.httpserver.HttpServer;
import dev.ambit.api.AccessLogFormat;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.api.FileAccessLog;
import dev.ambit.api.OtlpAccessLog;
import dev.ambit.api.OtlpTracing;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.Defaults;
import dev.ambit.operator.waypoint.telemetry.model.Expressions;
import dev.ambit.operator.waypoint.telemetry.model.Providers;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryObjects;
import dev.ambit.operator.waypoint.telemetry.model.WaypointTelemetry;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.client.utils.Serialization;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.logs.v1.LogsServiceGrpc;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.awaitility.core.TerminalFailureException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** What the real Envoy counts, logs and traces of requests that come through HBONE. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class TelemetryIT {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final MeshService CART =
      new MeshService(
          MeshService.Kind.SERVICE,
          "store",
          "cart",
          "cart.store.svc.cluster.local",
          Map.of(),
          List.of(
              new ServicePort(80, "http", PortProtocol.HTTP),
              new ServicePort(81, "grpc", PortProtocol.GRPC),
              new ServicePort(90, "tcp", PortProtocol.TCP)));

  private static final MeshService COLLECTOR =
      new MeshService(
          MeshService.Kind.SERVICE,
          "ambit-system",
          "collector",
          "collector.ambit-system.svc.cluster.local",
          Map.of(),
          List.of(new ServicePort(4317, "otlp", PortProtocol.GRPC)));

  private static final MeshServices SERVICES =
      new MeshServices() {
        @Override
        public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
          return List.of(CART, COLLECTOR).stream()
              .filter(service -> service.namespace().equals(namespace))
              .filter(service -> service.name().equals(name))
              .toList();
        }

        @Override
        public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
          return List.of(CART, COLLECTOR).stream()
              .filter(service -> service.hostname().equals(hostname))
              .findFirst();
        }
      };

  private static final List<ExtensionProvider> PROVIDERS =
      List.of(
          new ExtensionProvider(
              "json",
              null,
              null,
              new FileAccessLog(null, new AccessLogFormat(null, Map.of())),
              null,
              null),
          new ExtensionProvider(
              "otlp-logs",
              null,
              null,
              null,
              new OtlpAccessLog(COLLECTOR.hostname(), 4317, null, null),
              null),
          new ExtensionProvider(
              "otlp-spans",
              null,
              null,
              null,
              null,
              new OtlpTracing(COLLECTOR.hostname(), 4317, null, null)));

  private static final String TRACED =
      """
      apiVersion: telemetry.istio.io/v1
      kind: Telemetry
      metadata:
        name: all
        namespace: ambit-system
      spec:
        tracing:
        - randomSamplingPercentage: 100
          customTags:
            team: {literal: {value: blue}}
            tenant: {header: {name: x-tenant, defaultValue: none}}
      """;

  private Collector collector;
  private HttpServer server;
  private ServerSocket echo;
  private EnvoyProcess envoy;

  @BeforeAll
  void start(@TempDir Path folder) throws Exception {
    collector = new Collector();
    server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          exchange
              .getResponseHeaders()
              .add(
                  "x-traceparent",
                  Objects.requireNonNullElse(
                      exchange.getRequestHeaders().getFirst("traceparent"), ""));
          byte[] body = "hello".getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    echo = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    Thread.ofPlatform().daemon().start(this::echo);
    envoy =
        EnvoyProcess.start(folder, waypoint(PROVIDERS, defaults(), TRACED).build(seconds(3600)));
    ready(envoy);
  }

  private static EnvoyProcess ready(EnvoyProcess started) {
    try {
      return started.awaitReady();
    } catch (TerminalFailureException ended) {
      throw new AssertionError(
          started.log().stream()
              .filter(line -> !line.contains("][info]"))
              .collect(Collectors.joining("\n")),
          ended);
    }
  }

  @AfterAll
  void stop() throws IOException {
    envoy.close();
    collector.close();
    server.stop(0);
    echo.close();
  }

  private void echo() {
    while (!echo.isClosed()) {
      try (Socket socket = echo.accept()) {
        socket.getInputStream().transferTo(socket.getOutputStream());
      } catch (IOException ended) {
        // The next one, or the test is over.
      }
    }
  }

  private static Defaults defaults() {
    return new Defaults(List.of("json", "otlp-logs"), List.of("otlp-spans"), List.of("prometheus"));
  }

  private TelemetryEnvoy waypoint(
      List<ExtensionProvider> providers, Defaults defaults, String... objects) throws Exception {
    WaypointTelemetry telemetry =
        new WaypointTelemetry(
            new WaypointGateway("store", "waypoint", "ambit-waypoint"),
            new TelemetryObjects(
                java.util.Arrays.stream(objects)
                    .map(yaml -> Serialization.unmarshal(yaml, Telemetry.class))
                    .toList(),
                "ambit-system"),
            Providers.of(providers),
            defaults,
            SERVICES);
    int tunnelPort;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      tunnelPort = free.getLocalPort();
    }
    TelemetryEnvoy waypoint =
        new TelemetryEnvoy(tunnelPort)
            .client("http", 80, TelemetryEnvoy.BAGGAGE)
            .client("liar", 80, TelemetryEnvoy.BAGGAGE.replace("=shop", "=bank"))
            .client("silent", 80, "")
            .client("odd", 80, "k8s.namespace.name=shop,k8s.pod.name=a\"b,service.name=x+y")
            .client("grpc", 81, TelemetryEnvoy.BAGGAGE)
            .client("tcp", 90, TelemetryEnvoy.BAGGAGE)
            .client("dead", 91, TelemetryEnvoy.BAGGAGE)
            .http(80, CART, telemetry.of(CART, PortProtocol.HTTP).chain(), "http-cart")
            .http(81, CART, telemetry.of(CART, PortProtocol.GRPC).chain(), "grpc-cart")
            .tcp(90, CART, telemetry.of(CART, PortProtocol.TCP).chain(), "tcp-cart")
            .tcp(91, CART, telemetry.of(CART, PortProtocol.TCP).chain(), "dead-cart")
            .cluster("http-cart", CART, server.getAddress().getPort(), false)
            .cluster("grpc-cart", CART, collector.port(), true)
            .cluster("tcp-cart", CART, echo.getLocalPort(), false)
            .cluster("dead-cart", CART, 1, false);
    for (Backend backend : telemetry.of(CART, PortProtocol.HTTP).collectors()) {
      waypoint.cluster(backend.clusterName(), COLLECTOR, collector.port(), true);
    }
    return waypoint;
  }

  private static Duration seconds(int seconds) {
    return Duration.newBuilder().setSeconds(seconds).build();
  }

  private HttpResponse<String> get(
      EnvoyProcess through, String client, String path, String... headers) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + through.port(client) + path));
    if (headers.length > 0) {
      request.headers(headers);
    }
    try (HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }
  }

  /** The series of a metric that have all these labels. */
  private static List<String> series(EnvoyProcess envoy, String metric, String... labels)
      throws IOException {
    return envoy
        .admin("/stats/prometheus?usedonly")
        .body()
        .lines()
        .filter(line -> line.startsWith(metric + "{"))
        .filter(line -> java.util.Arrays.stream(labels).allMatch(line::contains))
        .toList();
  }

  private List<String> awaitSeries(String metric, String... labels) {
    return await(metric)
        .atMost(20, TimeUnit.SECONDS)
        .until(() -> series(envoy, metric, labels), found -> !found.isEmpty());
  }

  private JsonNode awaitLog(String field, String value) {
    return await("an entry with " + field + " " + value)
        .atMost(20, TimeUnit.SECONDS)
        .until(
            () ->
                envoy.log().stream()
                    .filter(line -> line.startsWith("{"))
                    .map(TelemetryIT::parse)
                    .filter(entry -> value.equals(entry.path(field).asText()))
                    .findFirst()
                    .orElse(null),
            Objects::nonNull);
  }

  private static JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(line, e);
    }
  }

  @Test
  void aRequestIsCountedUnderIstiosNameWithIstiosLabels() throws Exception {
    assertThat(get(envoy, "http", "/counted").body()).isEqualTo("hello");

    List<String> found =
        awaitSeries(
            "istio_requests_total", "workload=\"web-front\"", "protocol=\"http\"", "code=\"200\"");
    assertThat(found).hasSize(1);
    assertThat(found.getFirst())
        .contains(
            "reporter=\"waypoint\"",
            "source_workload=\"web-front\"",
            "source_canonical_service=\"web\"",
            "source_canonical_revision=\"v3\"",
            "source_workload_namespace=\"shop\"",
            "source_principal=\"" + TelemetryEnvoy.CLIENT + "\"",
            "source_app=\"web\"",
            "source_version=\"v3\"",
            "source_cluster=\"west\"",
            "destination_workload=\"cart-v1\"",
            "destination_workload_namespace=\"store\"",
            "destination_principal=\"" + TelemetryEnvoy.SERVER + "\"",
            "destination_app=\"cart\"",
            "destination_version=\"v1\"",
            "destination_service=\"cart.store.svc.cluster.local\"",
            "destination_canonical_service=\"cart\"",
            "destination_canonical_revision=\"v1\"",
            "destination_service_name=\"cart\"",
            "destination_service_namespace=\"store\"",
            "destination_cluster=\"west\"",
            "request_protocol=\"http\"",
            "response_flags=\"-\"",
            "connection_security_policy=\"mutual_tls\"",
            "response_code=\"200\"");
    for (String histogram :
        List.of(
            "istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes")) {
      awaitSeries(histogram + "_count", "source_workload=\"web-front\"");
      awaitSeries(histogram + "_bucket", "le=\"+Inf\"");
    }
  }

  @Test
  void aRequestThatIsRefusedIsCountedForTheServiceThatItWasFor() throws Exception {
    assertThat(get(envoy, "http", "/deny").statusCode()).isEqualTo(403);

    assertThat(awaitSeries("istio_requests_total", "response_code=\"403\""))
        .singleElement()
        .asString()
        .contains(
            "destination_service=\"cart.store.svc.cluster.local\"",
            "destination_service_name=\"cart\"",
            "destination_workload=\"unknown\"",
            "destination_principal=\"unknown\"");
  }

  @Test
  void baggageIsBelievedOfItsOwnNamespaceAlone() throws Exception {
    get(envoy, "liar", "/");
    get(envoy, "silent", "/");
    get(envoy, "odd", "/");

    String unknown = awaitSeries("istio_requests_total", "source_workload=\"unknown\"").getFirst();
    assertThat(unknown)
        .contains(
            "source_workload_namespace=\"shop\"",
            "source_canonical_service=\"unknown\"",
            "source_cluster=\"unknown\"",
            "source_principal=\"" + TelemetryEnvoy.CLIENT + "\"")
        .endsWith(" 3");
  }

  @Test
  void messagesOfGrpcAreCountedAndItsStatusTold() throws Exception {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", envoy.port("grpc")).usePlaintext().build();
    try {
      LogsServiceGrpc.newBlockingStub(channel)
          .export(ExportLogsServiceRequest.getDefaultInstance());
    } finally {
      channel.shutdownNow();
    }

    assertThat(awaitSeries("istio_requests_total", "request_protocol=\"grpc\"").getFirst())
        .contains("grpc_response_status=\"0\"", "response_code=\"200\"");
    assertThat(awaitSeries("istio_request_messages_total").getFirst())
        .contains("source_workload=\"web-front\"", "destination_workload=\"cart-v1\"")
        .endsWith(" 1");
    assertThat(awaitSeries("istio_response_messages_total").getFirst()).endsWith(" 1");
  }

  @Test
  void connectionsAreCountedWithTheirBytes() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", envoy.port("tcp"))) {
      socket.getOutputStream().write("twelve bytes".getBytes(StandardCharsets.UTF_8));
      socket.shutdownOutput();
      assertThat(socket.getInputStream().readAllBytes()).hasSize(12);
    }

    String[] labels = {
      "request_protocol=\"tcp\"", "response_flags=\"-\"", "source_workload=\"web-front\""
    };
    assertThat(awaitSeries("istio_tcp_connections_opened_total", labels).getFirst())
        .contains("destination_workload=\"cart-v1\"")
        .endsWith(" 1");
    assertThat(awaitSeries("istio_tcp_connections_closed_total", labels).getFirst()).endsWith(" 1");
    assertThat(awaitSeries("istio_tcp_sent_bytes_total", labels).getFirst()).endsWith(" 12");
    assertThat(awaitSeries("istio_tcp_received_bytes_total", labels).getFirst()).endsWith(" 12");
  }

  @Test
  void aConnectionToNoEndpointIsOpenedAndClosed() throws Exception {
    try (Socket socket = new Socket("127.0.0.1", envoy.port("dead"))) {
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
    } catch (java.net.SocketException reset) {
      // As good an end.
    }

    assertThat(awaitSeries("istio_tcp_connections_opened_total", "response_flags=\"UF")).hasSize(1);
    assertThat(awaitSeries("istio_tcp_connections_closed_total", "response_flags=\"UF")).hasSize(1);
  }

  @Test
  void aLogEntryIsJsonThatSaysWhoTalksToWhom() throws Exception {
    get(envoy, "http", "/logged?x=\"1\"".replace("\"", "%22"), "user-agent", "tester");

    JsonNode entry = awaitLog("user_agent", "tester");
    assertThat(entry.path("method").asText()).isEqualTo("GET");
    assertThat(entry.path("path").asText()).startsWith("/logged");
    assertThat(entry.path("response_code").isInt()).isTrue();
    assertThat(entry.path("duration").isNumber()).isTrue();
    assertThat(entry.path("source_principal").asText()).isEqualTo(TelemetryEnvoy.CLIENT);
    assertThat(entry.path("source_workload").asText()).isEqualTo("web-front");
    assertThat(entry.path("destination_principal").asText()).isEqualTo(TelemetryEnvoy.SERVER);
    assertThat(entry.path("destination_service").asText())
        .isEqualTo("cart.store.svc.cluster.local");
    assertThat(entry.path("upstream_cluster").asText()).isEqualTo("http-cart");
    assertThat(entry.path("filter_chain").asText()).isEqualTo("p80");
    assertThat(entry.path("downstream_local_address").asText())
        .isEqualTo(TelemetryEnvoy.DESTINATION + ":80");
    assertThat(entry.path("request_id").asText()).isNotEmpty();
    assertThat(entry.path("trace_id").asText()).hasSize(32);
  }

  @Test
  void aLogEntryGoesToACollectorToo() throws Exception {
    get(envoy, "http", "/collected");

    await()
        .atMost(20, TimeUnit.SECONDS)
        .untilAsserted(
            () ->
                assertThat(collector.records())
                    .anySatisfy(
                        record -> {
                          assertThat(record.getBody().getStringValue())
                              .contains("\"GET /collected HTTP/1.1\" 200");
                          assertThat(Collector.attributes(record.getAttributesList()))
                              .containsEntry("source_principal", TelemetryEnvoy.CLIENT)
                              .containsEntry("destination_workload", "cart-v1")
                              .containsEntry("path", "/collected")
                              .containsEntry("response_code", "200");
                        }));
    assertThat(Collector.attributes(collector.logs.getFirst().getResource().getAttributesList()))
        .containsEntry("service.name", "waypoint.store")
        .containsEntry("log_name", "otel_envoy_accesslog");
  }

  @Test
  void spansGoOnWithTheCallersTrace() throws Exception {
    String trace = "0af7651916cd43dd8448eb211c80319c";
    HttpResponse<String> response =
        get(
            envoy,
            "http",
            "/traced",
            "traceparent",
            "00-" + trace + "-b7ad6b7169203331-01",
            "x-tenant",
            "acme");

    String passedOn = response.headers().firstValue("x-traceparent").orElseThrow();
    assertThat(passedOn).startsWith("00-" + trace).doesNotContain("b7ad6b7169203331");
    List<Span> spans =
        await()
            .atMost(20, TimeUnit.SECONDS)
            .until(
                () ->
                    collector.allSpans().stream()
                        .filter(
                            span ->
                                HexFormat.of()
                                    .formatHex(span.getTraceId().toByteArray())
                                    .equals(trace))
                        .toList(),
                found -> found.size() == 2);
    Span received =
        spans.stream()
            .filter(span -> span.getKind() == Span.SpanKind.SPAN_KIND_SERVER)
            .findFirst()
            .orElseThrow();
    assertThat(HexFormat.of().formatHex(received.getParentSpanId().toByteArray()))
        .isEqualTo("b7ad6b7169203331");
    assertThat(Collector.attributes(received.getAttributesList()))
        .containsEntry("team", "blue")
        .containsEntry("tenant", "acme")
        .containsEntry("source_principal", TelemetryEnvoy.CLIENT)
        .containsEntry("source_workload", "web-front")
        .containsEntry("destination_service", "cart.store.svc.cluster.local")
        .containsEntry("istio.namespace", "store");
    assertThat(Collector.attributes(collector.spans.getFirst().getResource().getAttributesList()))
        .containsEntry("service.name", "waypoint.store");
  }

  @Test
  void telemetryObjectsDecideWhatIsCountedAndLogged(@TempDir Path own) throws Exception {
    String object =
        """
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata:
          name: cart
          namespace: store
        spec:
          targetRefs:
          - {group: "", kind: Service, name: cart}
          metrics:
          - overrides:
            - match: {metric: REQUEST_SIZE}
              disabled: true
            - match: {metric: REQUEST_COUNT}
              tagOverrides:
                source_principal: {operation: REMOVE}
                tenant: {value: "'x-tenant' in request.headers ? request.headers['x-tenant'] : 'none'"}
                host: {value: request.host}
          accessLogging:
          - filter: {expression: response.code >= 400}
          tracing:
          - disableSpanReporting: true
        """;
    try (EnvoyProcess changed =
        ready(EnvoyProcess.start(own, waypoint(PROVIDERS, defaults(), object).build(seconds(5))))) {
      String listener = "http://127.0.0.1:" + changed.port("http") + "/";
      get(changed, "http", "/fine", "x-tenant", "acme");
      get(changed, "http", "/deny");

      await()
          .atMost(20, TimeUnit.SECONDS)
          .untilAsserted(() -> assertThat(series(changed, "istio_requests_total")).hasSize(2));
      assertThat(series(changed, "istio_requests_total", "code=\"200\"").getFirst())
          .contains("tenant=\"acme\"", "host=\"127.0.0.1:", "source_workload=\"web-front\"")
          .doesNotContain("source_principal");
      assertThat(series(changed, "istio_requests_total", "code=\"403\"").getFirst())
          .contains("tenant=\"none\"");
      await()
          .atMost(20, TimeUnit.SECONDS)
          .untilAsserted(
              () ->
                  assertThat(
                          series(
                              changed, "istio_response_bytes_count", "source_principal=\"spiffe"))
                      .isNotEmpty());
      assertThat(series(changed, "istio_request_bytes_count")).isEmpty();
      await()
          .atMost(20, TimeUnit.SECONDS)
          .untilAsserted(() -> assertThat(changed.logText()).contains("\"path\":\"/deny\""));
      assertThat(changed.logText()).doesNotContain("/fine");

      // Nothing is added to them any more.
      await()
          .atMost(20, TimeUnit.SECONDS)
          .untilAsserted(() -> assertThat(series(changed, "istio_requests_total")).isEmpty());
      // Spans of other tests' Envoys may still arrive.
      assertThat(collector.allSpans())
          .noneMatch(
              span ->
                  Collector.attributes(span.getAttributesList())
                      .getOrDefault("http.url", "")
                      .startsWith(listener));
    }
  }

  @Test
  void envoyTakesWhateverExpressionsAndFormatsAreLetThrough(@TempDir Path own) throws Exception {
    TelemetryEnvoy waypoint =
        new TelemetryEnvoy(1)
            .http(
                80,
                CART,
                new ChainTelemetry(Expressions.logs(), List.of(), List.of(), Optional.empty()),
                "cart")
            .cluster("cart", CART, 1, false);

    EnvoyProcess.Validation validation = EnvoyProcess.validate(own, waypoint.build(seconds(3600)));

    assertThat(validation.accepted()).as(validation.output()).isTrue();
  }
}
