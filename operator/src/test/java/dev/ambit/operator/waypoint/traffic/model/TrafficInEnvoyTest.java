package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import dev.ambit.operator.waypoint.traffic.model.TrafficEnvoy.Answer;
import dev.ambit.operator.waypoint.traffic.model.TrafficEnvoy.EndpointOf;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users write, as the real Envoy does it. */
class TrafficInEnvoyTest {
  private static final Map<String, String> V1 = Map.of("version", "v1");
  private static final Map<String, String> V2 = Map.of("version", "v2");

  @TempDir Path folder;

  private static TestMesh shop() {
    return new TestMesh().service("shop", "cart", TestMesh.http(80));
  }

  private TrafficEnvoy start(TestMesh mesh, Upstream... upstreams) throws IOException {
    List<EndpointOf> endpoints = new ArrayList<>();
    for (Upstream upstream : upstreams) {
      endpoints.add(EndpointOf.at("cart", upstream));
    }
    return TrafficEnvoy.start(folder, mesh, "cart", Place.UNKNOWN, endpoints);
  }

  /** Takes connections and ends them, as the tunnel to a pod that is gone does after a while. */
  private static ServerSocket broken() throws IOException {
    ServerSocket socket = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
    Thread.ofVirtual()
        .start(
            () -> {
              while (!socket.isClosed()) {
                try (Socket connection = socket.accept()) {
                  connection.getInputStream().read();
                } catch (IOException closed) {
                  // The test is over, or the peer was faster.
                }
              }
            });
    return socket;
  }

  private static Map<String, Integer> counts(TrafficEnvoy envoy, int requests, String... headers)
      throws IOException {
    Map<String, Integer> counts = new TreeMap<>();
    for (int i = 0; i < requests; i++) {
      counts.merge(envoy.get("/", headers).upstream(), 1, Integer::sum);
    }
    return counts;
  }

  @Test
  void splitsByWeightBetweenSubsets() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                subsets:
                - {name: v1, labels: {version: v1}}
                - {name: v2, labels: {version: v2}}
                """)
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{headers: {x-user: {exact: tester}}}]
                  route: [{destination: {host: cart, subset: v2}}]
                - route:
                  - {destination: {host: cart, subset: v1}, weight: 80}
                  - destination: {host: cart, subset: v2}
                    weight: 20
                    headers: {response: {set: {x-canary: "yes"}}}
                """);
    try (Upstream one = new Upstream("v1", V1);
        Upstream two = new Upstream("v2", V2);
        TrafficEnvoy envoy = start(mesh, one, two)) {
      Map<String, Integer> counts = counts(envoy, 200);

      assertThat(counts.get("v1")).isBetween(130, 190);
      assertThat(counts.get("v2")).isBetween(10, 70);
      assertThat(counts(envoy, 10, "x-user: tester")).containsExactly(Map.entry("v2", 10));
      await()
          .atMost(Duration.ofSeconds(10))
          .until(() -> "yes".equals(envoy.get("/").headers().get("x-canary")));
    }
  }

  @Test
  void injectsFaults() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{uri: {prefix: /late}}]
                  fault: {delay: {fixedDelay: 400ms, percentage: {value: 100}}}
                  route: [{destination: {host: cart}}]
                - match: [{uri: {prefix: /teapot}}]
                  fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
                  route: [{destination: {host: cart}}]
                - match: [{uri: {prefix: /rpc}}]
                  fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}
                  route: [{destination: {host: cart}}]
                - match: [{uri: {prefix: /half}}]
                  fault: {abort: {httpStatus: 500, percentage: {value: 50}}}
                  route: [{destination: {host: cart}}]
                - route: [{destination: {host: cart}}]
                """);
    try (Upstream upstream = new Upstream("cart", Map.of());
        TrafficEnvoy envoy = start(mesh, upstream)) {
      assertThat(envoy.get("/teapot").status()).isEqualTo(418);
      Answer late = envoy.get("/late");
      assertThat(late.status()).isEqualTo(200);
      // Envoy counts from the beginning of its loop turn, so a timer may seem short by as much.
      assertThat(late.millis()).isGreaterThanOrEqualTo(390);
      Answer rpc = envoy.send("POST", "/rpc", "content-type: application/grpc");
      assertThat(rpc.headers()).containsEntry("grpc-status", "14");
      int failed = 0;
      for (int i = 0; i < 100; i++) {
        failed += envoy.get("/half").status() == 500 ? 1 : 0;
      }
      assertThat(failed).isBetween(25, 75);
      assertThat(envoy.get("/").status()).isEqualTo(200);
    }
  }

  @Test
  void endsRequestsAndTriesAtTheirTimeouts() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{uri: {prefix: /try}}]
                  retries: {attempts: 2, perTryTimeout: 200ms, retryOn: 5xx, backoff: 1ms}
                  route: [{destination: {host: cart}}]
                - timeout: 300ms
                  route: [{destination: {host: cart}}]
                """);
    AtomicInteger asked = new AtomicInteger();
    try (Upstream upstream =
            new Upstream("cart", Map.of())
                .answering(
                    exchange -> {
                      boolean slow =
                          exchange.getRequestURI().getPath().equals("/slow")
                              || asked.incrementAndGet() < 3;
                      if (slow) {
                        sleep(2_000);
                      }
                      return 200;
                    });
        TrafficEnvoy envoy = start(mesh, upstream)) {
      Answer slow = envoy.get("/slow");
      assertThat(slow.status()).isEqualTo(504);
      assertThat(slow.millis()).isLessThan(1_500);
      assertThat(envoy.get("/try").status()).isEqualTo(200);
      assertThat(asked).hasValue(3);
    }
  }

  private static void sleep(long millis) {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void triesAgainOnTheStatusesThatAreAskedFor() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{method: {exact: POST}}]
                  retries: {attempts: 0}
                  route: [{destination: {host: cart}}]
                - retries: {attempts: 3, retryOn: "503,409", backoff: 1ms}
                  route: [{destination: {host: cart}}]
                """);
    AtomicInteger asked = new AtomicInteger();
    try (Upstream upstream =
            new Upstream("cart", Map.of())
                .answering(
                    _ ->
                        switch (asked.incrementAndGet() % 3) {
                          case 1 -> 503;
                          case 2 -> 409;
                          default -> 200;
                        });
        TrafficEnvoy envoy = start(mesh, upstream)) {
      assertThat(envoy.get("/").status()).isEqualTo(200);
      assertThat(asked).hasValue(3);
      assertThat(envoy.send("POST", "/").status()).isEqualTo(503);
      assertThat(asked).hasValue(4);
    }
  }

  @Test
  void triesAnotherEndpointWhereOneCannotBeReachedIfTheRequestMayBeRepeated() throws IOException {
    try (Upstream upstream = new Upstream("cart", Map.of());
        ServerSocket broken = broken();
        TrafficEnvoy envoy =
            TrafficEnvoy.start(
                folder,
                shop(),
                "cart",
                EndpointOf.at("cart", upstream),
                new EndpointOf("cart", broken.getLocalPort(), Map.of(), Place.UNKNOWN))) {
      for (String method : List.of("GET", "PUT", "DELETE")) {
        for (int i = 0; i < 20; i++) {
          assertThat(envoy.send(method, "/").status()).as(method).isEqualTo(200);
        }
      }
      int failed = 0;
      for (int i = 0; i < 40; i++) {
        failed += envoy.send("POST", "/").status() == 503 ? 1 : 0;
      }
      // It cannot be told from a connection that broke after the request had been taken.
      assertThat(failed).isPositive();
    }
  }

  @Test
  void mirrorsWithoutHeedingTheAnswer() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - route: [{destination: {host: cart}}]
                  mirrors:
                  - {destination: {host: audit}, percentage: {value: 100}}
                  - {destination: {host: absent}, percentage: {value: 100}}
                  - {destination: {host: audit}, percentage: {value: 0}}
                """);
    mesh.unbound("shop", "audit", TestMesh.http(80));
    try (Upstream upstream = new Upstream("cart", Map.of());
        Upstream audit = new Upstream("audit", Map.of()).answering(_ -> 500);
        TrafficEnvoy envoy =
            TrafficEnvoy.start(
                folder,
                mesh,
                "cart",
                EndpointOf.at("cart", upstream),
                EndpointOf.at("audit", audit))) {
      assertThat(envoy.get("/item").status()).isEqualTo(200);
      await()
          .atMost(Duration.ofSeconds(10))
          .untilAsserted(() -> assertThat(audit.requests()).containsExactly("GET /item"));
      assertThat(upstream.requests()).containsExactly("GET /item");
    }
  }

  @Test
  void changesRequestsAndAnswersWithoutAsking() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{uri: {prefix: /old/}}]
                  rewrite: {uri: /new/, authority: cart.internal}
                  headers:
                    request:
                      set: {x-set: one, x-client: "%FILTER_STATE(io.istio.peer_principal:PLAIN)%"}
                      add: {x-add: two, x-share: 50%}
                      remove: [x-gone]
                    response: {remove: [x-upstream]}
                  route: [{destination: {host: cart}}]
                - match: [{uri: {regex: "/user/[0-9]+"}}]
                  rewrite: {uriRegexRewrite: {match: "^/user/([0-9]+)$", rewrite: '/id/\\1'}}
                  route: [{destination: {host: cart}}]
                - match: [{uri: {exact: /moved}}]
                  redirect: {uri: /there, authority: other.example, scheme: https, redirectCode: 308}
                - match: [{uri: {exact: /port}}]
                  redirect: {port: 8080, redirectCode: 302}
                - match: [{uri: {prefix: /closed}}]
                  directResponse: {status: 503, body: {string: "closed until noon"}}
                - match: [{uri: {prefix: /bytes}}]
                  directResponse: {status: 200, body: {bytes: aGVsbG8=}}
                """);
    try (Upstream upstream = new Upstream("cart", Map.of());
        TrafficEnvoy envoy = start(mesh, upstream)) {
      Answer changed = envoy.get("/old/x?q=1", "x-gone: here");
      assertThat(changed.body())
          .contains("GET /new/x?q=1")
          .contains("host=cart.internal")
          .contains("x-set=one")
          .contains("x-add=two")
          .contains("x-share=50%")
          .contains("x-client=spiffe://cluster.local/ns/web/sa/web")
          .doesNotContain("x-gone");
      assertThat(changed.upstream()).isEmpty();
      assertThat(envoy.get("/user/17").body()).contains("GET /id/17");
      Answer moved = envoy.get("/moved");
      assertThat(moved.status()).isEqualTo(308);
      assertThat(moved.headers()).containsEntry("location", "https://other.example/there");
      Answer port = envoy.get("/port");
      assertThat(port.status()).isEqualTo(302);
      assertThat(port.headers()).containsEntry("location", "http://served:8080/port");
      Answer closed = envoy.get("/closed");
      assertThat(closed.status()).isEqualTo(503);
      assertThat(closed.body()).isEqualTo("closed until noon");
      assertThat(envoy.get("/bytes").body()).isEqualTo("hello");
      assertThat(envoy.get("/nothing").status()).isEqualTo(404);
    }
  }

  @Test
  void matchesByEverythingThatAWaypointSees() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - {match: [{uri: {prefix: /CASE}, ignoreUriCase: true}], directResponse: {status: 201}}
                - {match: [{authority: {exact: other.example}}], directResponse: {status: 202}}
                - {match: [{queryParams: {q: {exact: "1"}, r: {}}}], directResponse: {status: 203}}
                - {match: [{headers: {x-any: {}}, withoutHeaders: {x-not: {exact: "no"}}}], directResponse: {status: 204}}
                - {match: [{sourceNamespace: web, uri: {prefix: /client}}], directResponse: {status: 205}}
                - {match: [{sourceLabels: {app: x}}], directResponse: {status: 299}}
                - {match: [{port: 81}], directResponse: {status: 299}}
                - {match: [{gateways: [edge]}], directResponse: {status: 299}}
                - {match: [{uri: {regex: "(?=x)"}}], directResponse: {status: 299}}
                - {match: [{scheme: {exact: https}}], directResponse: {status: 299}}
                - {match: [{method: {regex: "P(OST|UT)"}}, {method: {prefix: DEL}}], directResponse: {status: 206}}
                - directResponse: {status: 200}
                """);
    try (Upstream upstream = new Upstream("cart", Map.of());
        TrafficEnvoy envoy = start(mesh, upstream)) {
      assertThat(envoy.get("/case/a").status()).isEqualTo(201);
      assertThat(envoy.get("/", "Host: other.example").status()).isEqualTo(202);
      assertThat(envoy.get("/?q=1&r=2").status()).isEqualTo(203);
      assertThat(envoy.get("/?q=1").status()).isEqualTo(200);
      assertThat(envoy.get("/", "x-any: a").status()).isEqualTo(204);
      assertThat(envoy.get("/", "x-any: a", "x-not: no").status()).isEqualTo(200);
      assertThat(envoy.get("/", "x-any: a", "x-not: maybe").status()).isEqualTo(204);
      assertThat(envoy.get("/client").status()).isEqualTo(205);
      for (String other : TrafficEnvoy.PRINCIPALS.subList(1, 3)) {
        assertThat(envoy.sendAs(other, "GET", "/client").status()).as(other).isEqualTo(200);
      }
      assertThat(envoy.send("PUT", "/").status()).isEqualTo(206);
      assertThat(envoy.send("DELETE", "/").status()).isEqualTo(206);
      assertThat(envoy.get("/x").status()).isEqualTo(200);
    }
  }

  @Test
  void choosesByWhatATokenClaims() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - {match: [{headers: {"@request.auth.claims.team[name]": {prefix: blue}}}], directResponse: {status: 201}}
                - {match: [{headers: {"@request.auth.claims.groups": {exact: testers}}}], directResponse: {status: 202}}
                - {match: [{headers: {"@request.auth.claims.sub": {}}, withoutHeaders: {"@request.auth.claims.sub": {exact: bob}}}], directResponse: {status: 203}}
                - directResponse: {status: 200}
                """);
    try (TrafficEnvoy envoy = start(mesh)) {
      assertThat(status(envoy, "\"team\": {\"name\": \"blue-1\"}")).isEqualTo(201);
      assertThat(status(envoy, "\"groups\": [\"a\", \"testers\"]")).isEqualTo(202);
      assertThat(status(envoy, "\"groups\": \"testers\"")).isEqualTo(202);
      assertThat(status(envoy, "\"groups\": [\"testers2\"]")).isEqualTo(200);
      assertThat(status(envoy, "\"sub\": \"alice\"")).isEqualTo(203);
      assertThat(status(envoy, "\"sub\": \"bob\"")).isEqualTo(200);
      assertThat(envoy.get("/").status()).isEqualTo(200);
      assertThat(envoy.get("/", "x-groups: testers").status()).isEqualTo(200);
    }
  }

  private static int status(TrafficEnvoy envoy, String claims) throws IOException {
    return envoy.get("/", TrafficEnvoy.token(claims)).status();
  }

  @Test
  void takesLargeExpressions() throws IOException {
    String large = "/(?:[0-9a-f]{80}|[a-z]{90}|[\\p{L}]{50}|[^a]{100}|(?i:.{90}))x";
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - {match: [{uri: {regex: '%s'}}], directResponse: {status: 201}}
                - directResponse: {status: 200}
                """
                    .formatted(large));
    try (TrafficEnvoy envoy = start(mesh)) {
      assertThat(envoy.get("/" + "f".repeat(80) + "x").status()).isEqualTo(201);
      assertThat(envoy.get("/x").status()).isEqualTo(200);
    }
  }

  @Test
  void answersPreflights() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - corsPolicy:
                    allowOrigins: [{exact: "https://shop.example"}, {regex: "https://.*\\\\.shop\\\\.example"}]
                    allowMethods: [GET, POST]
                    allowHeaders: [x-a]
                    exposeHeaders: [x-b]
                    allowCredentials: true
                    maxAge: 1h
                    unmatchedPreflights: IGNORE
                  route: [{destination: {host: cart}}]
                """);
    try (Upstream upstream = new Upstream("cart", Map.of());
        TrafficEnvoy envoy = start(mesh, upstream)) {
      Answer preflight =
          envoy.send(
              "OPTIONS",
              "/",
              "Origin: https://eu.shop.example",
              "Access-Control-Request-Method: GET");
      assertThat(preflight.status()).isEqualTo(200);
      assertThat(preflight.headers())
          .containsEntry("access-control-allow-origin", "https://eu.shop.example")
          .containsEntry("access-control-allow-methods", "GET,POST")
          .containsEntry("access-control-allow-credentials", "true")
          .containsEntry("access-control-max-age", "3600");
      Answer other =
          envoy.send(
              "OPTIONS", "/", "Origin: https://evil.example", "Access-Control-Request-Method: GET");
      assertThat(other.headers()).doesNotContainKey("access-control-allow-origin");
      assertThat(upstream.requests()).isEmpty();
    }
  }

  @Test
  void sendsEqualHashesToTheSameEndpoint() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}
                """);
    try (Upstream one = new Upstream("a", Map.of());
        Upstream two = new Upstream("b", Map.of());
        Upstream three = new Upstream("c", Map.of());
        TrafficEnvoy envoy = start(mesh, one, two, three)) {
      Map<String, Integer> all = new TreeMap<>();
      for (int user = 0; user < 30; user++) {
        Map<String, Integer> own = counts(envoy, 5, "x-user: " + user);
        assertThat(own).as("user " + user).hasSize(1);
        own.forEach((upstream, count) -> all.merge(upstream, count, Integer::sum));
      }
      assertThat(all).hasSize(3);
    }
  }

  @Test
  void keepsAClientByACookieThatItGives() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  loadBalancer:
                    consistentHash: {httpCookie: {name: session, path: /, ttl: 60s}, maglev: {tableSize: 251}}
                """);
    try (Upstream one = new Upstream("a", Map.of());
        Upstream two = new Upstream("b", Map.of());
        Upstream three = new Upstream("c", Map.of());
        TrafficEnvoy envoy = start(mesh, one, two, three)) {
      for (int client = 0; client < 5; client++) {
        Answer first = envoy.get("/");
        String cookie = first.headers().getOrDefault("set-cookie", "");
        assertThat(cookie).startsWith("session=").contains("Max-Age=60").contains("Path=/");
        assertThat(counts(envoy, 6, "Cookie: " + cookie.substring(0, cookie.indexOf(';'))))
            .containsExactly(Map.entry(first.upstream(), 6));
      }
    }
  }

  @Test
  void ejectsAnEndpointThatFails() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  outlierDetection:
                    consecutive5xxErrors: 3
                    interval: 100ms
                    baseEjectionTime: 60s
                    maxEjectionPercent: 100
                """);
    try (Upstream good = new Upstream("good", Map.of());
        Upstream bad = new Upstream("bad", Map.of()).answering(_ -> 500);
        TrafficEnvoy envoy = start(mesh, good, bad)) {
      // Envoy's main thread ejects and its workers hear of it, while requests may still go there.
      await()
          .atMost(Duration.ofSeconds(20))
          .until(() -> counts(envoy, 30).equals(Map.of("good", 30)));
      int before = bad.requests().size();
      assertThat(before).isGreaterThanOrEqualTo(3);
      assertThat(counts(envoy, 30)).containsExactly(Map.entry("good", 30));
      assertThat(bad.requests()).hasSize(before);
    }
  }

  @Test
  void ejectsAnEndpointThatCannotBeReachedBehindATunnel() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  outlierDetection: {consecutive5xxErrors: 2, interval: 100ms, baseEjectionTime: 60s, maxEjectionPercent: 100}
                """);
    try (Upstream good = new Upstream("good", Map.of());
        ServerSocket broken = broken();
        TrafficEnvoy envoy =
            TrafficEnvoy.start(
                folder,
                mesh,
                "cart",
                EndpointOf.at("cart", good),
                new EndpointOf("cart", broken.getLocalPort(), Map.of(), Place.UNKNOWN))) {
      await()
          .atMost(Duration.ofSeconds(20))
          .until(
              () -> {
                for (int i = 0; i < 10; i++) {
                  if (envoy.send("POST", "/").status() != 200) {
                    return false;
                  }
                }
                return true;
              });
    }
  }

  @Test
  void limitsRequestsAtOnce() throws Exception {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  connectionPool:
                    tcp: {maxConnections: 1}
                    http: {http1MaxPendingRequests: 1}
                """);
    CountDownLatch release = new CountDownLatch(1);
    try (Upstream upstream =
            new Upstream("cart", Map.of())
                .answering(
                    _ -> {
                      try {
                        release.await(90, TimeUnit.SECONDS);
                      } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                      }
                      return 200;
                    });
        TrafficEnvoy envoy = start(mesh, upstream);
        var executor = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Answer>> answers = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        answers.add(executor.submit((Callable<Answer>) () -> envoy.send("POST", "/")));
        if (i == 0) {
          // While its connection is being made, a request counts as one that waits.
          await().atMost(Duration.ofSeconds(60)).until(() -> upstream.requests().size() == 1);
        }
      }
      await()
          .atMost(Duration.ofSeconds(60))
          .until(() -> answers.stream().filter(Future::isDone).count() == 4);
      release.countDown();
      Map<Integer, Integer> statuses = new TreeMap<>();
      for (Future<Answer> answer : answers) {
        statuses.merge(answer.get(60, TimeUnit.SECONDS).status(), 1, Integer::sum);
      }
      assertThat(statuses).containsEntry(200, 2).containsEntry(503, 4);
    }
  }

  @Test
  void prefersItsOwnZoneAndFailsOverWhereThatFails() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  loadBalancer: {localityLbSetting: {enabled: true}}
                  outlierDetection: {consecutive5xxErrors: 2, interval: 100ms, baseEjectionTime: 60s, maxEjectionPercent: 100}
                """);
    AtomicInteger status = new AtomicInteger(200);
    try (Upstream near = new Upstream("near", Map.of()).answering(_ -> status.get());
        Upstream far = new Upstream("far", Map.of());
        TrafficEnvoy envoy =
            TrafficEnvoy.start(
                folder,
                mesh,
                "cart",
                new Place("", "eu", "a", "", "", Map.of()),
                List.of(
                    new EndpointOf(
                        "cart", near.port(), Map.of(), new Place("", "eu", "a", "", "", Map.of())),
                    new EndpointOf(
                        "cart",
                        far.port(),
                        Map.of(),
                        new Place("", "eu", "b", "", "", Map.of()))))) {
      assertThat(counts(envoy, 20)).containsExactly(Map.entry("near", 20));
      status.set(500);
      await()
          .atMost(Duration.ofSeconds(20))
          .until(() -> counts(envoy, 10).equals(Map.of("far", 10)));
    }
  }

  @Test
  void distributesByLocality() throws IOException {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  loadBalancer:
                    localityLbSetting:
                      distribute: [{from: eu/a, to: {eu/a: 80, eu/b: 20}}]
                """);
    Place here = new Place("", "eu", "a", "", "", Map.of());
    try (Upstream near = new Upstream("near", Map.of());
        Upstream far = new Upstream("far", Map.of());
        Upstream abroad = new Upstream("abroad", Map.of());
        TrafficEnvoy envoy =
            TrafficEnvoy.start(
                folder,
                mesh,
                "cart",
                here,
                List.of(
                    new EndpointOf("cart", near.port(), Map.of(), here),
                    new EndpointOf(
                        "cart", far.port(), Map.of(), new Place("", "eu", "b", "", "", Map.of())),
                    new EndpointOf(
                        "cart",
                        abroad.port(),
                        Map.of(),
                        new Place("", "us", "a", "", "", Map.of()))))) {
      Map<String, Integer> counts = counts(envoy, 200);
      assertThat(counts).containsOnlyKeys("near", "far");
      assertThat(counts.get("far")).isBetween(15, 75);
    }
  }

  @Test
  void failsWhatIsSentToAServiceThatIsNotThere() throws IOException {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{uri: {prefix: /gone}}]
                  route: [{destination: {host: absent}}]
                - match: [{uri: {prefix: /zero}}]
                  route: [{destination: {host: cart}, weight: 0}, {destination: {host: cart}, weight: 0}]
                - route: [{destination: {host: cart}}]
                """);
    try (Upstream upstream = new Upstream("cart", Map.of());
        TrafficEnvoy envoy = start(mesh, upstream)) {
      assertThat(envoy.get("/gone").status()).isEqualTo(503);
      assertThat(envoy.get("/zero").status()).isEqualTo(503);
      assertThat(envoy.get("/").status()).isEqualTo(200);
    }
  }

  @Test
  void isTakenByEnvoyWithAllThatAPolicyCanSay() {
    TestMesh mesh =
        shop()
            .destinationRule(
                "shop/cart",
                """
                host: cart
                trafficPolicy:
                  loadBalancer:
                    simple: ROUND_ROBIN
                    warmup: {duration: 30s, aggression: 1.5, minimumPercent: 20}
                  connectionPool:
                    tcp: {maxConnections: 100, connectTimeout: 30ms, idleTimeout: 1h, maxConnectionDuration: 2h, tcpKeepalive: {time: 7200s, interval: 75s, probes: 3}}
                    http: {http1MaxPendingRequests: 10, http2MaxRequests: 20, maxRequestsPerConnection: 5, maxRetries: 7, idleTimeout: 5m, h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 50}
                  outlierDetection: {consecutiveGatewayErrors: 5, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4, interval: 5s, baseEjectionTime: 1m, maxEjectionPercent: 50, minHealthPercent: 40}
                  retryBudget: {percent: 25, minRetryConcurrency: 4}
                subsets:
                - name: ring
                  labels: {version: v1}
                  trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {}}}}
                - name: maglev
                  labels: {version: v1}
                  trafficPolicy: {loadBalancer: {consistentHash: {httpQueryParameterName: q, maglev: {}}}}
                - name: least
                  trafficPolicy: {loadBalancer: {simple: LEAST_CONN, warmupDurationSecs: 10s}}
                - name: random
                  trafficPolicy: {loadBalancer: {simple: RANDOM}, connectionPool: {http: {useClientProtocol: true, maxConcurrentStreams: 3}}}
                """)
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - match: [{uri: {prefix: /a}, name: first, statPrefix: a.b}]
                  name: rule
                  retries: {attempts: 5, retryRemoteLocalities: true, retryIgnorePreviousHosts: true, backoff: 25ms, perTryTimeout: 1s, retryOn: "connect-failure,5xx,reset"}
                  route:
                  - {destination: {host: cart, subset: ring}, weight: 1}
                  - {destination: {host: cart, subset: maglev}, weight: 1}
                  - {destination: {host: cart, subset: least}, weight: 1}
                  - {destination: {host: cart, subset: random}, weight: 1}
                """);

    EnvoyProcess.Validation validation =
        EnvoyProcess.validate(
            folder, TrafficEnvoy.bootstrap(mesh, "cart", Place.UNKNOWN, List.of()));

    assertThat(validation.accepted()).as(validation.output()).isTrue();
    assertThat(validation.output()).doesNotContain("deprecated");
  }
}
