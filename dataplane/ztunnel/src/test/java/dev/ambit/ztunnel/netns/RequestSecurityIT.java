package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.testing.Tokens;
import io.envoyproxy.envoy.service.auth.v3.AuthorizationGrpc;
import io.envoyproxy.envoy.service.auth.v3.CheckRequest;
import io.envoyproxy.envoy.service.auth.v3.CheckResponse;
import io.envoyproxy.envoy.service.auth.v3.OkHttpResponse;
import io.grpc.stub.StreamObserver;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Authorizers and issuers of tokens that are pods of the mesh: a waypoint reaches them through
 * tunnels, as itself, and they let nobody else in.
 */
class RequestSecurityIT {
  private static final String USE = "istio.io/use-waypoint: waypoint";
  private static final String HTTP = "{name: http, port: 80, targetPort: 8080}";

  private static WaypointMesh mesh;
  private static Pod client;

  @BeforeAll
  static void start() throws Exception {
    mesh = WaypointMesh.start();
    mesh.waypoint("waypoint", 1, "service");
    client = mesh.captured(0, "client");
    mesh.closing(Web.serve(mesh.captured(1, "server"), 8080));
  }

  @AfterAll
  static void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private static InetSocketAddress service(String name, String address) {
    mesh.service(name, address, "server", USE, HTTP);
    return new InetSocketAddress(address, 80);
  }

  /** The pods of an application let in the waypoint alone. */
  private static void letInOnlyTheWaypoint(String app) {
    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: %1$s}
        spec:
          selector: {matchLabels: {app: %1$s}}
          rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/waypoint]}}]}]
        """
            .formatted(app));
  }

  private static Web.Message becomes(
      InetSocketAddress service, String path, int status, String... headers) {
    return Web.becomes(client, service, path, answer -> answer.status() == status, headers);
  }

  private static int ask(InetSocketAddress service, String path, String... headers)
      throws java.io.IOException {
    return Web.get(client, service, path, headers).status();
  }

  private static CheckResponse judged(Map<String, String> headers) {
    return "open".equals(headers.get("x-key"))
        ? CheckResponse.newBuilder().setOkResponse(OkHttpResponse.getDefaultInstance()).build()
        : CheckResponse.newBuilder()
            .setStatus(
                com.google.rpc.Status.newBuilder()
                    .setCode(com.google.rpc.Code.PERMISSION_DENIED_VALUE))
            .build();
  }

  @Test
  void anAuthorizerInTheMeshIsAskedAndNothingPassesWithoutIt() throws Exception {
    Pod authorizer = mesh.captured(1, "authorizer");
    List<String> asked = new CopyOnWriteArrayList<>();
    TcpServer http =
        mesh.closing(
            Web.answer(
                authorizer,
                9000,
                request -> {
                  asked.add(request.path() + " " + request.header("x-forwarded-client-cert"));
                  return new Web.Answer(request.header("x-key").equals("open") ? 200 : 401, "");
                }));
    AutoCloseable grpc =
        mesh.closing(
            GrpcEcho.serve(
                authorizer,
                9001,
                new AuthorizationGrpc.AuthorizationImplBase() {
                  @Override
                  public void check(CheckRequest request, StreamObserver<CheckResponse> answers) {
                    var http = request.getAttributes().getRequest().getHttp();
                    asked.add(
                        http.getPath() + " " + request.getAttributes().getSource().getPrincipal());
                    answers.onNext(judged(http.getHeadersMap()));
                    answers.onCompleted();
                  }
                }.bindService()));
    mesh.service(
        "authorizer",
        "10.96.4.1",
        "authorizer",
        "istio.io/use-waypoint: none",
        "{name: http, port: 9000}, {name: grpc, port: 9001}");
    letInOnlyTheWaypoint("authorizer");
    InetSocketAddress overHttp = service("judged-http", "10.96.4.2");
    InetSocketAddress overGrpc = service("judged-grpc", "10.96.4.3");
    for (String[] each :
        List.of(new String[] {"judged-http", "keys"}, new String[] {"judged-grpc", "keys-grpc"})) {
      mesh.apply(
          """
          apiVersion: security.istio.io/v1
          kind: AuthorizationPolicy
          metadata: {name: %1$s}
          spec:
            targetRefs: [{group: "", kind: Service, name: %1$s}]
            action: CUSTOM
            provider: {name: %2$s}
            rules: [{to: [{operation: {paths: ["/secret*"]}}]}]
          """
              .formatted(each[0], each[1]));
    }

    becomes(overHttp, "/secret", 401);
    becomes(overGrpc, "/secret", 403);
    becomes(overHttp, "/secret/1", 200, "x-key: open");
    becomes(overGrpc, "/secret/2", 200, "x-key: open");
    // It hears of the client what its certificate proves.
    assertThat(asked)
        .anyMatch(text -> text.startsWith("/secret/1 ") && text.contains(client.identity()))
        .anyMatch(text -> text.startsWith("/secret/2 "));
    // What no rule matches, it is not asked about.
    assertThat(ask(overHttp, "/other")).isEqualTo(200);
    assertThat(ask(overGrpc, "/other")).isEqualTo(200);
    assertThat(asked).noneMatch(text -> text.startsWith("/other"));

    http.close();
    grpc.close();
    for (InetSocketAddress service : List.of(overHttp, overGrpc)) {
      becomes(service, "/secret", 503);
      for (int i = 0; i < 5; i++) {
        assertThat(ask(service, "/secret", "x-key: open")).isEqualTo(503);
      }
      assertThat(ask(service, "/other")).isEqualTo(200);
    }
  }

  private static String claims(String issuer) {
    return "{\"iss\":\"%s\",\"sub\":\"alice\",\"exp\":4102444800}".formatted(issuer);
  }

  /** Of an issuer whose keys are fetched for this service alone. */
  private static void takeTokens(String service) {
    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {name: %1$s}
        spec:
          targetRefs: [{group: "", kind: Service, name: %1$s}]
          jwtRules:
          - issuer: https://issuer.example
            jwksUri: http://issuer.shop.svc.cluster.local/%1$s
            outputClaimToHeaders: [{header: x-user, claim: sub}]
        """
            .formatted(service));
  }

  @Test
  void tokensAreVerifiedWithKeysThatAPodOfTheMeshServes() throws Exception {
    Tokens keys = new Tokens("one");
    Tokens others = new Tokens("one");
    Pod issuer = mesh.captured(0, "issuer");
    TcpServer serving =
        mesh.closing(Web.answer(issuer, 8000, _ -> new Web.Answer(200, keys.keySet())));
    mesh.service(
        "issuer",
        "10.96.4.10",
        "issuer",
        "istio.io/use-waypoint: none",
        "{name: http, port: 80, targetPort: 8000}");
    letInOnlyTheWaypoint("issuer");
    InetSocketAddress service = service("tokens", "10.96.4.11");
    takeTokens("tokens");
    String good = "authorization: Bearer " + keys.sign(claims("https://issuer.example"));
    List<String> bad =
        List.of(
            "authorization: Bearer " + others.sign(claims("https://issuer.example")),
            "authorization: Bearer " + keys.sign(claims("https://other.example")),
            "authorization: Bearer nonsense");
    becomes(service, "/", 401, bad.getFirst());
    Web.Message answer = becomes(service, "/", 200, good);
    assertThat(answer.body()).contains("x-user=alice");
    for (String token : bad) {
      assertThat(ask(service, "/", token)).as(token).isEqualTo(401);
    }
    assertThat(ask(service, "/")).isEqualTo(200);

    mesh.apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: tokens}
        spec:
          targetRefs: [{group: "", kind: Service, name: tokens}]
          rules: [{from: [{source: {requestPrincipals: [https://issuer.example/alice]}}]}]
        """);
    becomes(service, "/", 403);
    assertThat(ask(service, "/", good)).isEqualTo(200);
    assertThat(ask(service, "/", bad.getFirst())).isEqualTo(401);

    // Keys that are known are good for a while, and without any no token is.
    serving.close();
    InetSocketAddress later = service("later", "10.96.4.12");
    takeTokens("later");
    becomes(later, "/", 401, good);
    assertThat(ask(service, "/", good)).isEqualTo(200);
    assertThat(ask(later, "/")).isEqualTo(200);
  }
}
