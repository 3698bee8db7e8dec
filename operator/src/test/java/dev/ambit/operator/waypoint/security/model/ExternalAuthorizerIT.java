package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.ambit.api.AuthorizerRequestBody;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.api.GrpcAuthorizer;
import dev.ambit.api.HttpAuthorizer;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.envoyproxy.envoy.service.auth.v3.AuthorizationGrpc;
import io.envoyproxy.envoy.service.auth.v3.CheckRequest;
import io.envoyproxy.envoy.service.auth.v3.CheckResponse;
import io.envoyproxy.envoy.service.auth.v3.DeniedHttpResponse;
import io.envoyproxy.envoy.service.auth.v3.OkHttpResponse;
import io.envoyproxy.envoy.type.v3.HttpStatus;
import io.envoyproxy.envoy.type.v3.StatusCode;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real Envoy asks external authorizers as policies say. */
class ExternalAuthorizerIT {
  private static final String CLIENT = "spiffe://cluster.local/ns/default/sa/client";

  private final ConcurrentLinkedQueue<String> asked = new ConcurrentLinkedQueue<>();
  private HttpServer http = httpServer();
  private Server grpc = grpcServer();

  ExternalAuthorizerIT() throws IOException {}

  /** Says yes to who has the header "x-key: open". */
  private HttpServer httpServer() throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          var headers = exchange.getRequestHeaders();
          asked.add(
              exchange.getRequestMethod()
                  + " "
                  + exchange.getRequestURI()
                  + " "
                  + headers.getFirst("x-forwarded-client-cert")
                  + " "
                  + headers.getFirst("x-static")
                  + " "
                  + headers.getFirst("x-secret"));
          boolean open = "open".equals(headers.getFirst("x-key"));
          exchange.getResponseHeaders().set("x-added", "by-authorizer");
          exchange.getResponseHeaders().set("x-reason", "no key");
          exchange.sendResponseHeaders(open ? 200 : 401, -1);
          exchange.close();
        });
    server.start();
    return server;
  }

  private Server grpcServer() throws IOException {
    ServerInterceptor clients =
        new ServerInterceptor() {
          @Override
          public <Q, R> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
            asked.add(
                call.getAuthority()
                    + " "
                    + headers.get(
                        Metadata.Key.of(
                            "x-forwarded-client-cert", Metadata.ASCII_STRING_MARSHALLER)));
            return next.startCall(call, headers);
          }
        };
    return NettyServerBuilder.forAddress(
            new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0))
        .addService(
            ServerInterceptors.intercept(
                new AuthorizationGrpc.AuthorizationImplBase() {
                  @Override
                  public void check(CheckRequest request, StreamObserver<CheckResponse> responses) {
                    boolean open =
                        "open"
                            .equals(
                                request
                                    .getAttributes()
                                    .getRequest()
                                    .getHttp()
                                    .getHeadersOrDefault("x-key", ""));
                    responses.onNext(
                        open
                            ? CheckResponse.newBuilder()
                                .setOkResponse(OkHttpResponse.getDefaultInstance())
                                .build()
                            : CheckResponse.newBuilder()
                                .setStatus(
                                    com.google.rpc.Status.newBuilder()
                                        .setCode(com.google.rpc.Code.PERMISSION_DENIED_VALUE))
                                .setDeniedResponse(
                                    DeniedHttpResponse.newBuilder()
                                        .setStatus(
                                            HttpStatus.newBuilder()
                                                .setCode(StatusCode.PaymentRequired)))
                                .build());
                    responses.onCompleted();
                  }
                },
                clients))
        .build()
        .start();
  }

  @BeforeEach
  void nothingAskedYet() {
    asked.clear();
  }

  @AfterEach
  void stop() {
    http.stop(0);
    grpc.shutdownNow();
  }

  private static HttpAuthorizer over(String service, int port, boolean failOpen) {
    return new HttpAuthorizer(
        service,
        port,
        "2s",
        "/check",
        failOpen,
        503,
        false,
        List.of("x-key"),
        Map.of("x-static", "100%"),
        null,
        List.of("x-added"),
        List.of("x-reason"),
        List.of());
  }

  private static AuthorizationPolicy custom(String name, String provider, String rules) {
    return Policies.policy(
        name, "{action: CUSTOM, provider: {name: '" + provider + "'}, rules: " + rules + "}");
  }

  @Test
  void itIsAskedAboutWhatTheRulesMatch(@TempDir Path folder) throws IOException {
    MeshService service =
        Policies.service(
            "auth",
            "authz",
            Policies.port(http.getAddress().getPort(), PortProtocol.HTTP),
            Policies.port(grpc.getPort(), PortProtocol.GRPC),
            Policies.port(1, PortProtocol.HTTP));
    MeshServices services = Policies.services(service);
    String host = service.hostname();
    ExtensionProvider[] providers = {
      new ExtensionProvider("http", null, over(host, http.getAddress().getPort(), false)),
      new ExtensionProvider(
          "grpc",
          new GrpcAuthorizer("auth/" + host, grpc.getPort(), null, null, null, null, null),
          null),
      new ExtensionProvider("gone", null, over(host, 1, false)),
      new ExtensionProvider("gone-open", null, over(host, 1, true)),
      new ExtensionProvider("elsewhere", null, over("nowhere.example", 80, false)),
      new ExtensionProvider(
          "body",
          new GrpcAuthorizer(
              host,
              grpc.getPort(),
              "1s",
              false,
              403,
              false,
              new AuthorizerRequestBody(16, true, false)),
          null)
    };
    String secret = "[{to: [{operation: {paths: ['/secret*']}}]}]";
    SecurityEnvoy configuration = new SecurityEnvoy();
    Map<String, List<AuthorizationPolicy>> cases =
        Map.of(
            "http", List.of(custom("a", "http", secret)),
            "grpc", List.of(custom("a", "grpc", secret)),
            "gone", List.of(custom("a", "gone", secret)),
            "gone-open", List.of(custom("a", "gone-open", secret)),
            "elsewhere", List.of(custom("a", "elsewhere", secret)),
            "missing", List.of(custom("a", "missing", secret)),
            "body", List.of(custom("a", "body", secret)),
            "two",
                List.of(
                    custom("a", "http", secret),
                    custom("b", "grpc", "[{to: [{operation: {paths: [/other]}}]}]")),
            "also-denied",
                List.of(
                    custom("a", "http", secret),
                    Policies.policy(
                        "d", "{action: DENY, rules: [{to: [{operation: {methods: [PUT]}}]}]}")));
    cases.forEach(
        (name, policies) -> {
          ServiceSecurity security =
              ServiceSecurity.of(
                  Policies.KEY,
                  new AttachedPolicies(policies, List.of()),
                  Policies.settings(providers),
                  services,
                  "default");
          configuration.listener(name, security.slots());
        });
    for (var port : service.ports()) {
      configuration.cluster(
          new dev.ambit.operator.waypoint.model.Backend(
                  service, port.number(), port.protocol(), java.util.Optional.empty())
              .clusterName(),
          port.number(),
          port.protocol() == PortProtocol.GRPC);
    }
    try (EnvoyProcess envoy = configuration.start(folder)) {
      RawHttp.Request open =
          RawHttp.Request.get(
              "/secret/1?q=2", "x-key: open", "x-secret: s", SecurityEnvoy.PEER + ": " + CLIENT);
      RawHttp.Request closed = RawHttp.Request.get("/secret", "x-forwarded-client-cert: URI=evil");
      RawHttp.Request other = RawHttp.Request.get("/");
      int over = envoy.port("http");
      assertThat(RawHttp.once(over, other).status()).isEqualTo(200);
      assertThat(asked).isEmpty();
      RawHttp.Response allowed = RawHttp.once(over, open);
      assertThat(allowed.status()).isEqualTo(200);
      assertThat(allowed.header("x-added")).isEqualTo("by-authorizer");
      assertThat(asked)
          .containsExactly(
              "GET /check/secret/1?q=2 By=spiffe://cluster.local/ns/default/sa/waypoint;URI="
                  + CLIENT
                  + " 100% null");
      RawHttp.Response denied = RawHttp.once(over, closed);
      assertThat(denied.status()).isEqualTo(401);
      assertThat(denied.header("x-reason")).isEqualTo("no key");
      assertThat(asked).noneMatch(text -> text.contains("evil"));

      asked.clear();
      assertThat(RawHttp.once(envoy.port("grpc"), open).status()).isEqualTo(200);
      assertThat(asked)
          .containsExactly(
              host + " By=spiffe://cluster.local/ns/default/sa/waypoint;URI=" + CLIENT);
      assertThat(RawHttp.once(envoy.port("grpc"), closed).status()).isEqualTo(402);
      assertThat(RawHttp.once(envoy.port("body"), open).status()).isEqualTo(200);

      assertThat(RawHttp.once(envoy.port("gone"), open).status()).isEqualTo(503);
      assertThat(RawHttp.once(envoy.port("gone"), other).status()).isEqualTo(200);
      assertThat(RawHttp.once(envoy.port("gone-open"), open).status()).isEqualTo(200);
      for (String broken : List.of("elsewhere", "missing")) {
        assertThat(RawHttp.once(envoy.port(broken), open).status()).as(broken).isEqualTo(403);
        assertThat(RawHttp.once(envoy.port(broken), other).status()).as(broken).isEqualTo(200);
      }
      // One authorizer can be asked; what another would have to be asked about is denied.
      assertThat(RawHttp.once(envoy.port("two"), open).status()).isEqualTo(200);
      assertThat(RawHttp.once(envoy.port("two"), RawHttp.Request.get("/other")).status())
          .isEqualTo(403);
      assertThat(
              RawHttp.once(
                      envoy.port("also-denied"),
                      RawHttp.Request.of("PUT", "/secret", "x-key: open"))
                  .status())
          .isEqualTo(403);
    }
  }
}
