package dev.ambit.operator.waypoint.route;

import static dev.ambit.operator.waypoint.route.HttpCall.get;
import static dev.ambit.operator.waypoint.route.model.RouteMesh.http;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.route.HttpCall.Answer;
import dev.ambit.operator.waypoint.route.model.RouteMesh;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What requests meet in the real Envoy, for each thing that routes can say of them. */
class RouteBehaviourIT {
  private static final String SHOP = "spiffe://cluster.local/ns/shop/sa/client";
  private static final String TEST = "spiffe://cluster.local/ns/test/sa/client";
  private static final String TEST_LIKE = "spiffe://cluster.local/ns/test-2/sa/client";
  private static final String TEST_ALIAS = "spiffe://old.example/ns/test/sa/client";

  @TempDir private Path folder;

  private final Map<String, List<Upstream>> endpoints = new HashMap<>();
  private final RouteMesh mesh =
      new RouteMesh()
          .service("web", http(80), http(8080), RouteMesh.port(443, PortProtocol.TLS))
          .service("v1", http(80))
          .service("v2", http(80))
          .service("empty", http(80))
          .service("secure", RouteMesh.port(443, PortProtocol.TLS))
          .service("other", "far", http(80));
  private @Nullable RoutedEnvoy envoy;

  @BeforeEach
  void servers() throws IOException {
    for (String name : List.of("web", "v1", "v2", "far")) {
      endpoints.put(name, List.of(new Upstream(name)));
    }
  }

  @AfterEach
  void end() {
    if (envoy != null) {
      envoy.close();
    }
    endpoints.values().forEach(each -> each.forEach(Upstream::close));
  }

  private void start() {
    startAt(80);
  }

  private void startAt(int port) {
    envoy =
        new RoutedEnvoy(
            folder,
            mesh.web(port).orElseThrow(),
            endpoints,
            List.of(SHOP, TEST, TEST_LIKE, TEST_ALIAS));
  }

  private Answer ask(HttpCall call) throws IOException {
    return call.send(Objects.requireNonNull(envoy).port(SHOP));
  }

  private Answer askAs(String principal, HttpCall call) throws IOException {
    return call.send(Objects.requireNonNull(envoy).port(principal));
  }

  private Upstream upstream(String name) {
    return Objects.requireNonNull(endpoints.get(name)).getFirst();
  }

  private static String backend(String name) {
    return "backendRefs: [{name: " + name + ", port: 80}]";
  }

  // --- Matches

  @Test
  void matchesPathsHeadersParametersAndMethods() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {type: Exact, value: /exact}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {type: PathPrefix, value: /prefix/}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {type: RegularExpression, value: "/regex/[0-9]+"}}]
          backendRefs: [{name: v1, port: 80}]
        - matches:
          - headers: [{name: X-Version, value: two}, {name: x-other, type: RegularExpression, value: "a.c"}]
          - headers: [{name: Host, value: special.example}]
          backendRefs: [{name: v2, port: 80}]
        - matches: [{queryParams: [{name: q, value: yes}, {name: r, type: RegularExpression, value: "[0-9]*"}]}]
          backendRefs: [{name: v2, port: 80}]
        - matches: [{method: DELETE}]
          backendRefs: [{name: v2, port: 80}]
        - backendRefs: [{name: web, port: 80}]
        """);
    start();
    assertThat(ask(get("/exact")).by()).isEqualTo("v1");
    assertThat(ask(get("/exact?a=b")).by()).isEqualTo("v1");
    assertThat(ask(get("/exact/")).by()).isEqualTo("web");
    assertThat(ask(get("/prefix")).by()).isEqualTo("v1");
    assertThat(ask(get("/prefix/")).by()).isEqualTo("v1");
    assertThat(ask(get("/prefix/on")).by()).isEqualTo("v1");
    assertThat(ask(get("/prefixed")).by()).isEqualTo("web");
    assertThat(ask(get("/regex/12")).by()).isEqualTo("v1");
    assertThat(ask(get("/regex/12/3")).by()).isEqualTo("web");
    assertThat(ask(get("/").header("x-version", "two").header("x-other", "abc")).by())
        .isEqualTo("v2");
    assertThat(ask(get("/").header("x-version", "two")).by()).isEqualTo("web");
    assertThat(ask(get("/").header("x-version", "twofold").header("x-other", "abc")).by())
        .isEqualTo("web");
    assertThat(ask(get("/").header("host", "special.example")).by()).isEqualTo("v2");
    assertThat(ask(get("/?q=yes&r=1")).by()).isEqualTo("v2");
    assertThat(ask(get("/?q=yes")).by()).isEqualTo("web");
    assertThat(ask(get("/?q=yes&r=x")).by()).isEqualTo("web");
    assertThat(ask(get("/").method("DELETE")).by()).isEqualTo("v2");
  }

  @Test
  void answersWith404WhereNoRuleFits() throws IOException {
    mesh.httpRoute("- matches: [{path: {value: /only}}]\n  " + backend("v1"));
    start();
    assertThat(ask(get("/only")).status()).isEqualTo(200);
    assertThat(ask(get("/")).status()).isEqualTo(404);
  }

  @Test
  void takesAnExpressionAsLongAsOneMayBe() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{headers: [{name: x-long, type: RegularExpression, value: "%s"}]}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{headers: [{name: x-big, type: RegularExpression, value: "(?:[^\\\\p{L}]{3}\\\\p{Han}{3}){330}|abc"}]}]
          backendRefs: [{name: v2, port: 80}]
        """
            .formatted("(a|b)".repeat(800)));
    start();
    assertThat(ask(get("/").header("x-long", "ab".repeat(400))).by()).isEqualTo("v1");
    assertThat(ask(get("/").header("x-big", "abc")).by()).isEqualTo("v2");
  }

  // --- Backends

  @Test
  void splitsByWeight() throws IOException {
    mesh.httpRoute(
        """
        - backendRefs:
          - {name: v1, port: 80, weight: 3}
          - {name: v2, port: 80, weight: 1}
          - {name: web, port: 80, weight: 0}
        """);
    start();
    int first = 0;
    for (int i = 0; i < 200; i++) {
      Answer answer = ask(get("/"));
      assertThat(answer.by()).isIn("v1", "v2");
      first += answer.by().equals("v1") ? 1 : 0;
    }
    assertThat(first).isBetween(120, 180);
  }

  @Test
  void answersWith500WhereNoBackendHasWeight() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {value: /zero}}]
          backendRefs: [{name: v1, port: 80, weight: 0}, {name: v2, port: 80, weight: 0}]
        - matches: [{path: {value: /one-zero}}]
          backendRefs: [{name: v1, port: 80, weight: 0}]
        - matches: [{path: {value: /none}}]
        """);
    start();
    assertThat(ask(get("/zero")).status()).isEqualTo(500);
    assertThat(ask(get("/one-zero")).status()).isEqualTo(500);
    assertThat(ask(get("/none")).status()).isEqualTo(500);
  }

  @Test
  void answersTheShareOfABackendThatIsNotThereWith500() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {value: /half}}]
          backendRefs: [{name: v1, port: 80}, {name: missing, port: 80}]
        - matches: [{path: {value: /missing}}]
          backendRefs: [{name: missing, port: 80}]
        - matches: [{path: {value: /secure}}]
          backendRefs: [{name: secure, port: 443}]
        - matches: [{path: {value: /far}}]
          backendRefs: [{name: far, namespace: other, port: 80}]
        - matches: [{path: {value: /empty}}]
          backendRefs: [{name: empty, port: 80}]
        """);
    start();
    int failed = 0;
    for (int i = 0; i < 100; i++) {
      Answer answer = ask(get("/half"));
      assertThat(answer.status()).isIn(200, 500);
      failed += answer.status() == 500 ? 1 : 0;
    }
    assertThat(failed).isBetween(30, 70);
    assertThat(ask(get("/missing")).status()).isEqualTo(500);
    assertThat(ask(get("/secure")).status()).isEqualTo(500);
    assertThat(ask(get("/far")).status()).isEqualTo(500);
    assertThat(ask(get("/empty")).status()).isEqualTo(503);
  }

  @Test
  void failsWhatItCannotDoAndDoesTheRest() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {type: RegularExpression, value: "/("}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /extension}}]
          filters: [{type: ExtensionRef, extensionRef: {group: example.org, kind: Limit, name: a}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /authorized}}]
          filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: v2, port: 80}}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /both}}]
          filters:
          - {type: RequestRedirect, requestRedirect: {hostname: example.org}}
          - {type: URLRewrite, urlRewrite: {hostname: example.org}}
        - matches: [{path: {value: /good}}]
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/good")).by()).isEqualTo("v1");
    assertThat(ask(get("/extension")).status()).isEqualTo(500);
    assertThat(ask(get("/authorized")).status()).isEqualTo(500);
    assertThat(ask(get("/both")).status()).isEqualTo(500);
    assertThat(ask(get("/(")).status()).isEqualTo(404);
  }

  // --- Headers

  @Test
  void changesHeadersOfRequests() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - type: RequestHeaderModifier
            requestHeaderModifier:
              set: [{name: X-Set, value: "100% %REQ(x-secret)%"}, {name: x-both, value: rule}]
              add: [{name: x-add, value: more}]
              remove: [X-Remove]
          backendRefs:
          - name: v1
            port: 80
            filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: {set: [{name: x-both, value: backend}], add: [{name: x-set, value: too}]}
          - name: v2
            port: 80
            weight: 0
        """);
    start();
    Answer answer =
        ask(
            get("/")
                .header("x-set", "old")
                .header("x-add", "some")
                .header("x-remove", "this")
                .header("x-secret", "s"));
    assertThat(answer.asked("header x-set")).containsExactly("100% %REQ(x-secret)%", "too");
    assertThat(answer.asked("header x-add")).containsExactly("some", "more");
    assertThat(answer.asked("header x-remove")).isEmpty();
    assertThat(answer.asked("header x-both")).containsExactly("backend");
  }

  @Test
  void changesHeadersOfResponses() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - type: ResponseHeaderModifier
            responseHeaderModifier:
              set: [{name: x-upstream, value: hidden}]
              add: [{name: x-new, value: "1"}]
              remove: [x-remove-me]
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    Answer answer = ask(get("/"));
    assertThat(answer.header("x-upstream")).contains("hidden");
    assertThat(answer.header("x-new")).contains("1");
    assertThat(answer.header("x-remove-me")).isEmpty();
  }

  @Test
  void setsTheHostAsAHeader() throws IOException {
    mesh.httpRoute(
        """
        - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: inner.example}]}}]
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/")).asked("header host")).containsExactly("inner.example");
  }

  // --- Redirects and rewrites

  @Test
  void redirects() throws IOException {
    Map<String, String> redirects = new LinkedHashMap<>();
    redirects.put("hostname: example.org", "302 http://example.org/a?q=1");
    for (int code : List.of(301, 302, 303, 307, 308)) {
      redirects.put(
          "hostname: example.org, statusCode: " + code, code + " http://example.org/a?q=1");
    }
    redirects.put("scheme: https", "302 https://web.shop/a?q=1");
    redirects.put(
        "scheme: https, hostname: example.org, port: 443", "302 https://example.org/a?q=1");
    redirects.put("port: 8443", "302 http://web.shop:8443/a?q=1");
    redirects.put("hostname: example.org, port: 80", "302 http://example.org/a?q=1");
    redirects.put("scheme: https, port: 8443", "302 https://web.shop:8443/a?q=1");
    redirects.put(
        "path: {type: ReplaceFullPath, replaceFullPath: /new/path}",
        "302 http://web.shop/new/path?q=1");
    redirects.put(
        "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}",
        "302 http://web.shop/new/a?q=1");
    assertRedirects(80, "web.shop", "/", redirects, "/a?q=1");
  }

  @Test
  void redirectsByPrefix() throws IOException {
    Map<String, String> redirects = new LinkedHashMap<>();
    redirects.put(
        "path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}",
        "302 http://web.shop/new/rest?q=1");
    redirects.put(
        "path: {type: ReplacePrefixMatch, replacePrefixMatch: /}", "302 http://web.shop/rest?q=1");
    assertRedirects(80, "web.shop", "/old", redirects, "/old/rest?q=1");
  }

  @Test
  void redirectsFromAPortThatIsNotTheSchemes() throws IOException {
    Map<String, String> redirects = new LinkedHashMap<>();
    redirects.put("hostname: example.org", "302 http://example.org:8080/");
    redirects.put("hostname: example.org, port: 80", "302 http://example.org/");
    redirects.put("scheme: https", "302 https://web.shop:443/");
    redirects.put("scheme: https, hostname: example.org", "302 https://example.org/");
    redirects.put("scheme: http", "302 http://web.shop:80/");
    redirects.put("port: 9090", "302 http://web.shop:9090/");
    assertRedirects(8080, "web.shop:8080", "/", redirects, "/");
  }

  private void assertRedirects(
      int port, String host, String prefix, Map<String, String> redirects, String path)
      throws IOException {
    StringBuilder rules = new StringBuilder();
    int index = 0;
    for (String redirect : redirects.keySet()) {
      rules.append(
          """
          - matches: [{path: {value: %s}, headers: [{name: case, value: "%d"}]}]
            filters: [{type: RequestRedirect, requestRedirect: {%s}}]
          """
              .formatted(prefix, index++, redirect));
    }
    mesh.httpRoute(rules.toString());
    startAt(port);
    index = 0;
    for (Map.Entry<String, String> redirect : redirects.entrySet()) {
      Answer answer = ask(get(path).header("host", host).header("case", String.valueOf(index++)));
      assertThat(answer.status() + " " + answer.header("location").orElse("nowhere"))
          .as(redirect.getKey())
          .isEqualTo(redirect.getValue());
    }
  }

  /** The table of the API's own documentation, and what follows from it for "/". */
  @Test
  void replacesPrefixes() throws IOException {
    List<String> table =
        List.of(
            "/foo/bar /foo /xyz /xyz/bar",
            "/foo/bar /foo /xyz/ /xyz/bar",
            "/foo/bar /foo/ /xyz /xyz/bar",
            "/foo/bar /foo/ /xyz/ /xyz/bar",
            "/foo /foo /xyz /xyz",
            "/foo/ /foo /xyz /xyz/",
            "/foo/bar /foo - /bar",
            "/foo/ /foo - /",
            "/foo /foo - /",
            "/foo/ /foo / /",
            "/foo /foo / /",
            "/foo.x/bar /foo.x - /bar",
            "/bar / /xyz /xyz/bar",
            "/ / /xyz /xyz/",
            "/bar / / /bar");
    StringBuilder rules = new StringBuilder();
    for (int i = 0; i < table.size(); i++) {
      String[] row = table.get(i).split(" ", -1);
      rules.append(
          """
          - matches: [{path: {value: "%s"}, headers: [{name: case, value: "%d"}]}]
            filters:
            - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: "%s"}}}
            backendRefs: [{name: v1, port: 80}]
          """
              .formatted(row[1], i, row[2].equals("-") ? "" : row[2]));
    }
    mesh.httpRoute(rules.toString());
    start();
    for (int i = 0; i < table.size(); i++) {
      String[] row = table.get(i).split(" ", -1);
      for (String query : List.of("", "?a=/foo")) {
        assertThat(ask(get(row[0] + query).header("case", String.valueOf(i))).asked("uri"))
            .as(table.get(i))
            .containsExactly(row[3] + query);
      }
    }
  }

  @Test
  void rewritesHostAndWholePath() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {value: /a}}]
          filters:
          - {type: URLRewrite, urlRewrite: {hostname: inner.example, path: {type: ReplaceFullPath, replaceFullPath: '/b%1C'}}}
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /split}}]
          backendRefs:
          - name: v1
            port: 80
            filters: [{type: URLRewrite, urlRewrite: {hostname: one.example}}]
          - {name: v2, port: 80, weight: 0}
        """);
    start();
    Answer answer = ask(get("/a/c?d=e"));
    assertThat(answer.asked("uri")).containsExactly("/b%1C?d=e");
    assertThat(answer.asked("header host")).containsExactly("inner.example");
    assertThat(ask(get("/split")).asked("header host")).containsExactly("one.example");
  }

  // --- Mirrors

  @Test
  void mirrorsAll() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - {type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}}}
          - {type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 0}}
          - {type: RequestMirror, requestMirror: {backendRef: {name: missing, port: 80}}}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/mirrored")).by()).isEqualTo("v1");
    await().untilAsserted(() -> assertThat(upstream("v2").attempts()).isEqualTo(1));
    assertThat(upstream("v2").seen().getFirst())
        .contains("uri: /mirrored", "header host: web.shop\n");
    assertThat(upstream("web").attempts()).isZero();
  }

  @Test
  void mirrorsAFraction() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - {type: RequestMirror, requestMirror: {backendRef: {name: v2, port: 80}, fraction: {numerator: 1, denominator: 2}}}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    for (int i = 0; i < 100; i++) {
      ask(get("/"));
    }
    await()
        .during(Duration.ofMillis(300))
        .untilAsserted(() -> assertThat(upstream("v2").attempts()).isBetween(30, 70));
  }

  // --- CORS

  private static HttpCall preflight(String origin, String method, String headers) {
    return get("/")
        .method("OPTIONS")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
  }

  @Test
  void answersPreflights() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - type: CORS
            cors:
              allowOrigins: ["https://app.example", "https://*.wild.example", "http://any.example:8080"]
              allowMethods: [GET, PUT]
              allowHeaders: [x-one, x-two]
              exposeHeaders: [x-three]
              allowCredentials: true
              maxAge: 77
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    Answer answer = ask(preflight("https://app.example", "PUT", "x-one"));
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.header("access-control-allow-origin")).contains("https://app.example");
    assertThat(answer.header("access-control-allow-methods")).contains("GET,PUT");
    assertThat(answer.header("access-control-allow-headers")).contains("x-one,x-two");
    assertThat(answer.header("access-control-allow-credentials")).contains("true");
    assertThat(answer.header("access-control-max-age")).contains("77");
    for (String origin : List.of("https://a.b.wild.example", "http://any.example:8080")) {
      assertThat(ask(preflight(origin, "PUT", "x-one")).header("access-control-allow-origin"))
          .contains(origin);
    }
    for (String origin :
        List.of(
            "http://app.example",
            "https://app.example:8443",
            "https://wild.example",
            "https://evil.example/.wild.example",
            "https://app.example.evil")) {
      Answer refused = ask(preflight(origin, "PUT", "x-one"));
      assertThat(refused.header("access-control-allow-origin")).as(origin).isEmpty();
      assertThat(refused.asked("name")).as(origin).isEmpty();
    }
    Answer actual = ask(get("/").header("origin", "https://app.example"));
    assertThat(actual.by()).isEqualTo("v1");
    assertThat(actual.header("access-control-allow-origin")).contains("https://app.example");
    assertThat(actual.header("access-control-expose-headers")).contains("x-three");
    assertThat(actual.header("access-control-allow-credentials")).contains("true");
  }

  @Test
  void answersPreflightsOfAnybody() throws IOException {
    mesh.httpRoute(
        """
        - filters:
          - {type: CORS, cors: {allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"]}}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    Answer answer = ask(preflight("https://app.example", "PUT", "x-one"));
    assertThat(answer.header("access-control-allow-origin").orElseThrow())
        .isIn("*", "https://app.example");
    assertThat(answer.header("access-control-allow-methods").orElseThrow()).isIn("*", "PUT");
    assertThat(answer.header("access-control-allow-headers").orElseThrow()).isIn("*", "x-one");
    assertThat(answer.header("access-control-allow-credentials")).isEmpty();
    assertThat(answer.header("access-control-max-age")).contains("5");
  }

  // --- Timeouts and retries

  @Test
  void endsRequestsAndAttemptsInTime() throws IOException {
    mesh.httpRoute(
        """
        - matches: [{path: {value: /request}}]
          timeouts: {request: 300ms}
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /attempt}}]
          timeouts: {backendRequest: 300ms}
          backendRefs: [{name: v1, port: 80}]
        - matches: [{path: {value: /never}}]
          timeouts: {request: 0s}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/request").header("x-delay", "2000")).status()).isEqualTo(504);
    assertThat(ask(get("/attempt").header("x-delay", "2000")).status()).isEqualTo(504);
    assertThat(ask(get("/never").header("x-delay", "500")).status()).isEqualTo(200);
    assertThat(ask(get("/request")).status()).isEqualTo(200);
  }

  @Test
  void retriesByCode() throws IOException {
    mesh.httpRoute(
        """
        - retry: {codes: [503, 500], attempts: 2, backoff: 10ms}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/").header("x-failures", "2x503")).status()).isEqualTo(200);
    assertThat(upstream("v1").attempts()).isEqualTo(3);
    assertThat(ask(get("/").header("x-failures", "100x503")).status()).isEqualTo(503);
    assertThat(upstream("v1").attempts()).isEqualTo(6);
    assertThat(ask(get("/").header("x-failures", "100x502")).status()).isEqualTo(502);
    assertThat(upstream("v1").attempts()).isEqualTo(7);
  }

  @Test
  void retriesWhatBreaksOrTakesTooLong() throws IOException {
    mesh.httpRoute(
        """
        - retry: {attempts: 2, backoff: 10ms}
          timeouts: {backendRequest: 300ms, request: 5s}
          backendRefs: [{name: v1, port: 80}]
        """);
    start();
    assertThat(ask(get("/").header("x-failures", "2x0")).status()).isEqualTo(200);
    assertThat(upstream("v1").attempts()).isEqualTo(3);
    assertThat(ask(get("/").header("x-delay", "1000")).status()).isEqualTo(504);
    assertThat(upstream("v1").attempts()).isEqualTo(6);
  }

  @Test
  void waitsLongWhereNothingIsSaid() throws IOException {
    mesh.httpRoute("- " + backend("v1"));
    start();
    assertThat(ask(get("/").header("x-failures", "1x503")).status()).isEqualTo(503);
    assertThat(upstream("v1").attempts()).isEqualTo(1);
  }

  // --- Sessions

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{sessionName: stick}",
        "{type: Header, sessionName: x-stick}",
        "{sessionName: stick, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}",
      })
  void keepsSessionsAtOneEndpoint(String session) throws IOException {
    endpoints.put(
        "v1",
        Stream.of("a", "b", "c")
            .map(
                name -> {
                  try {
                    return new Upstream(name);
                  } catch (IOException e) {
                    throw new IllegalStateException(e);
                  }
                })
            .toList());
    mesh.httpRoute("- sessionPersistence: " + session + "\n  " + backend("v1"));
    start();
    Answer first = ask(get("/"));
    boolean header = session.contains("Header");
    String token = first.header(header ? "x-stick" : "set-cookie").orElseThrow().split(";", -1)[0];
    if (!header) {
      assertThat(first.header("set-cookie").orElseThrow()).startsWith("stick=").contains("Path=/");
      assertThat(first.header("set-cookie").orElseThrow().contains("Max-Age=3600"))
          .isEqualTo(session.contains("Permanent"));
    }
    for (int i = 0; i < 12; i++) {
      Answer next = ask(get("/").header(header ? "x-stick" : "cookie", token));
      assertThat(next.by()).isEqualTo(first.by());
    }
    assertThat(
            Stream.generate(() -> 0)
                .limit(30)
                .map(
                    _ -> {
                      try {
                        return ask(get("/")).by();
                      } catch (IOException e) {
                        throw new IllegalStateException(e);
                      }
                    })
                .distinct()
                .count())
        .isGreaterThan(1);
  }

  // --- Audiences

  @Test
  void servesConsumersByTheirOwnRoutes() throws IOException {
    mesh.trustDomainAliases("old.example")
        .httpRoute("- " + backend("v1"))
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: consumer, namespace: test}
            spec:
              parentRefs: [{group: "", kind: Service, name: web, namespace: shop}]
              rules:
              - matches: [{path: {value: /consumer}}]
                backendRefs: [{name: web, namespace: shop, port: 80}]
            """);
    start();
    assertThat(askAs(SHOP, get("/consumer")).by()).isEqualTo("v1");
    assertThat(askAs(TEST_LIKE, get("/consumer")).by()).isEqualTo("v1");
    assertThat(askAs(TEST, get("/consumer")).by()).isEqualTo("web");
    assertThat(askAs(TEST_ALIAS, get("/consumer")).by()).isEqualTo("web");
    assertThat(askAs(TEST, get("/")).status()).isEqualTo(404);
  }

  @Test
  void passesOnTheRequestsOfOthersThanConsumers() throws IOException {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: consumer, namespace: test}
        spec:
          parentRefs: [{group: "", kind: Service, name: web, namespace: shop}]
          rules:
          - filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org}}]
        """);
    start();
    assertThat(askAs(SHOP, get("/")).by()).isEqualTo("web");
    assertThat(askAs(TEST, get("/")).status()).isEqualTo(302);
    assertThat(askAs(TEST_ALIAS, get("/")).by()).isEqualTo("web");
  }

  // --- gRPC

  private static HttpCall call(String method) {
    return get(method).method("POST").header("content-type", "application/grpc");
  }

  @Test
  void routesGrpc() throws IOException {
    mesh.grpcRoute(
        """
        - matches: [{method: {service: shop.Cart, method: Add}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{method: {service: shop.Cart}}]
          backendRefs: [{name: v2, port: 80}]
        - matches: [{method: {method: Check}}]
          backendRefs: [{name: v1, port: 80}]
        - matches: [{method: {type: RegularExpression, service: "shop\\\\..*", method: "Get|List"}}]
          backendRefs: [{name: web, port: 80}]
        - matches: [{headers: [{name: version, value: two}]}]
          filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-a, value: b}]}}]
          backendRefs: [{name: v2, port: 80}]
        - matches: [{method: {service: shop.Gone}}]
          backendRefs: [{name: missing, port: 80}]
        - matches: [{method: {service: shop.Half}}]
          backendRefs: [{name: missing, port: 80}, {name: v1, port: 80, weight: 0}]
        """);
    start();
    assertThat(ask(call("/shop.Cart/Add")).by()).isEqualTo("v1");
    assertThat(ask(call("/shop.Cart/Remove")).by()).isEqualTo("v2");
    assertThat(ask(call("/health.Health/Check")).by()).isEqualTo("v1");
    assertThat(ask(call("/shop.Stock/List")).by()).isEqualTo("web");
    assertThat(ask(call("/shop.Stock/Lists")).header("grpc-status")).contains("12");
    Answer answer = ask(call("/any.Thing/Do").header("version", "two"));
    assertThat(answer.by()).isEqualTo("v2");
    assertThat(answer.asked("header x-a")).containsExactly("b");
    assertThat(ask(call("/shop.Gone/Do")).header("grpc-status")).contains("14");
    assertThat(ask(call("/shop.Half/Do")).header("grpc-status")).contains("14");
    assertThat(ask(call("/nothing.Fits/It")).header("grpc-status")).contains("12");
  }
}
