package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real Envoy judges requests as policies say. */
class RequestPoliciesIT {
  private static final String CLIENT = "spiffe://cluster.local/ns/default/sa/client";
  private static final String OTHER = "spiffe://cluster.local/ns/other/sa/client";

  private final List<Case> cases = new ArrayList<>();

  private record Expectation(RawHttp.Request request, String from, int status) {}

  private static RawHttp.Request as(String peer, RawHttp.Request request) {
    return request.with(SecurityEnvoy.PEER, peer);
  }

  /** Begins a case. */
  private Case under(String... specs) {
    List<AuthorizationPolicy> policies = new ArrayList<>();
    for (int i = 0; i < specs.length; i++) {
      policies.add(Policies.policy("p" + i, specs[i]));
    }
    Case begun = new Case("case-" + cases.size(), policies, new ArrayList<>());
    cases.add(begun);
    return begun;
  }

  private record Case(
      String name, List<AuthorizationPolicy> policies, List<Expectation> expectations) {
    Case passes(RawHttp.Request... requests) {
      return expect(200, "127.0.0.1", requests);
    }

    Case refuses(RawHttp.Request... requests) {
      return expect(403, "127.0.0.1", requests);
    }

    Case expect(int status, String from, RawHttp.Request... requests) {
      for (RawHttp.Request request : requests) {
        expectations.add(new Expectation(request, from, status));
      }
      return this;
    }
  }

  private void check(Path folder) throws IOException {
    SecurityEnvoy configuration = new SecurityEnvoy();
    cases.forEach(
        each ->
            configuration.listener(
                each.name(),
                Policies.security(each.policies().toArray(AuthorizationPolicy[]::new)).slots()));
    try (EnvoyProcess envoy = configuration.start(folder)) {
      List<String> wrong = new ArrayList<>();
      for (Case each : cases) {
        int port = envoy.port(each.name());
        for (Expectation expectation : each.expectations()) {
          int status;
          try (RawHttp connection = RawHttp.connect(port, expectation.from())) {
            status = connection.send(expectation.request()).status();
          }
          if (status != expectation.status()) {
            wrong.add(
                expectation.request()
                    + " got "
                    + status
                    + " instead of "
                    + expectation.status()
                    + " under "
                    + each.policies().stream().map(policy -> policy.getSpec().getRules()).toList());
          }
        }
      }
      assertThat(wrong).isEmpty();
    }
  }

  @Test
  void whoAsks(@TempDir Path folder) throws IOException {
    RawHttp.Request get = RawHttp.Request.get("/");
    under("rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}]")
        .passes(as(CLIENT, get), as("spiffe://old.example/ns/default/sa/client", get))
        .refuses(as(OTHER, get), as(CLIENT + "2", get))
        // Headers that say who someone is are only headers.
        .refuses(
            as(OTHER, get)
                .with("x-forwarded-client-cert", "URI=" + CLIENT)
                .with("x-envoy-peer-principal", CLIENT));
    under("rules: [{from: [{source: {principals: ['cluster.local/ns/default/*']}}]}]")
        .passes(as(CLIENT, get))
        .refuses(as(OTHER, get));
    under("rules: [{from: [{source: {principals: ['*/sa/client']}}]}]")
        .passes(as(CLIENT, get), as(OTHER, get))
        .refuses(as("spiffe://cluster.local/ns/default/sa/another", get));
    under("rules: [{from: [{source: {principals: ['*']}}]}]").passes(as(CLIENT, get)).refuses(get);
    under("rules: [{from: [{source: {notPrincipals: [cluster.local/ns/default/sa/client]}}]}]")
        .passes(as(OTHER, get))
        .refuses(as(CLIENT, get));
    under("rules: [{from: [{source: {namespaces: [default, 'team-*']}}]}]")
        .passes(as(CLIENT, get), as("spiffe://cluster.local/ns/team-a/sa/x", get))
        .refuses(as(OTHER, get), as("spiffe://cluster.local/ns/x/sa/default", get));
    under("rules: [{from: [{source: {notNamespaces: ['*er']}}]}]")
        .passes(as(CLIENT, get))
        .refuses(as(OTHER, get));
    under("rules: [{from: [{source: {serviceAccounts: [client]}}]}]")
        .passes(as(CLIENT, get))
        .refuses(as(OTHER, get));
    under("rules: [{from: [{source: {serviceAccounts: [other/client]}}]}]")
        .passes(as(OTHER, get))
        .refuses(as(CLIENT, get));
    under("rules: [{from: [{source: {notServiceAccounts: [other/client]}}]}]")
        .passes(as(CLIENT, get))
        .refuses(as(OTHER, get));
    under("rules: [{from: [{source: {trustDomains: [cluster.local]}}]}]")
        .passes(as(CLIENT, get), as("spiffe://old.example/ns/default/sa/client", get))
        .refuses(as("spiffe://cluster.local.evil/ns/default/sa/client", get));
    under("rules: [{from: [{source: {notTrustDomains: ['*.evil']}}]}]")
        .passes(as(CLIENT, get))
        .refuses(as("spiffe://cluster.local.evil/ns/default/sa/client", get));
    under("rules: [{from: [{source: {ipBlocks: [127.0.0.0/30]}}]}]")
        .expect(200, "127.0.0.1", as(CLIENT, get))
        .expect(403, "127.0.0.5", as(CLIENT, get))
        .expect(403, "127.0.0.5", as(CLIENT, get).with("x-forwarded-for", "127.0.0.1"));
    under("rules: [{from: [{source: {notIpBlocks: [127.0.0.5]}}]}]")
        .expect(200, "127.0.0.1", get)
        .expect(403, "127.0.0.5", get);
    under("rules: [{from: [{source: {remoteIpBlocks: [127.0.0.1]}}]}]")
        .expect(200, "127.0.0.1", get)
        .expect(403, "127.0.0.5", get.with("x-forwarded-for", "127.0.0.1"));
    under("rules: [{when: [{key: source.principal, values: ['*/sa/client']}]}]")
        .passes(as(CLIENT, get))
        .refuses(as("spiffe://cluster.local/ns/default/sa/x", get));
    under("rules: [{when: [{key: source.namespace, notValues: [other]}]}]")
        .passes(as(CLIENT, get))
        .refuses(as(OTHER, get));
    under("rules: [{when: [{key: source.ip, values: [127.0.0.5]}]}]")
        .expect(403, "127.0.0.1", get)
        .expect(200, "127.0.0.5", get);
    under("rules: [{when: [{key: remote.ip, notValues: [127.0.0.5]}]}]")
        .expect(200, "127.0.0.1", get)
        .expect(403, "127.0.0.5", get);
    check(folder);
  }

  @Test
  void whatIsAsked(@TempDir Path folder) throws IOException {
    under("rules: [{to: [{operation: {methods: [GET, 'P*']}}]}]")
        .passes(RawHttp.Request.get("/"), RawHttp.Request.of("PUT", "/"))
        .refuses(RawHttp.Request.of("DELETE", "/"));
    under("{action: DENY, rules: [{to: [{operation: {notMethods: [GET]}}]}]}")
        .passes(RawHttp.Request.get("/"))
        .refuses(RawHttp.Request.of("POST", "/"));
    under("rules: [{to: [{operation: {hosts: [a.example, '*.b.example']}}]}]")
        .passes(
            RawHttp.Request.get("/", "Host: a.example"),
            RawHttp.Request.get("/", "Host: A.Example"),
            RawHttp.Request.get("/", "Host: x.b.example"))
        .refuses(
            RawHttp.Request.get("/", "Host: a.example:80"),
            RawHttp.Request.get("/", "Host: evil.example"));
    under("{action: DENY, rules: [{to: [{operation: {hosts: [a.example, '*.b.example']}}]}]}")
        .refuses(
            RawHttp.Request.get("/", "Host: a.example"),
            RawHttp.Request.get("/", "Host: A.EXAMPLE:80"),
            RawHttp.Request.get("/", "Host: a.example."),
            RawHttp.Request.get("/", "Host: a.example.:8080"),
            RawHttp.Request.get("/", "Host: x.b.example:1"))
        .passes(
            RawHttp.Request.get("/", "Host: aa.example"),
            RawHttp.Request.get("/", "Host: a.example.org"));
    under("{action: DENY, rules: [{to: [{operation: {notHosts: [a.example]}}]}]}")
        .passes(RawHttp.Request.get("/", "Host: a.example"))
        .refuses(RawHttp.Request.get("/", "Host: b.example"));
    under("rules: [{to: [{operation: {ports: ['1']}}]}]").refuses(RawHttp.Request.get("/"));
    under("rules: [{to: [{operation: {notPorts: ['1']}}]}]").passes(RawHttp.Request.get("/"));
    under("rules: [{when: [{key: destination.ip, values: [127.0.0.0/8]}]}]")
        .passes(RawHttp.Request.get("/"));
    under("rules: [{when: [{key: destination.port, notValues: ['1']}]}]")
        .passes(RawHttp.Request.get("/"));
    under("rules: [{when: [{key: connection.sni, values: [a.example]}]}]")
        .refuses(RawHttp.Request.get("/"));
    under("rules: [{when: [{key: 'request.headers[x-team]', values: [red, 'blue*']}]}]")
        .passes(
            RawHttp.Request.get("/", "x-team: red"),
            RawHttp.Request.get("/", "X-Team: bluegreen"),
            RawHttp.Request.get("/", "x-team: red", "x-team: red"))
        .refuses(
            RawHttp.Request.get("/"),
            RawHttp.Request.get("/", "x-team: green"),
            RawHttp.Request.get("/", "x-team: redd"),
            RawHttp.Request.get("/", "x-team: re"),
            RawHttp.Request.get("/", "x-team: red", "x-team: blue"),
            RawHttp.Request.get("/", "x-team: red", "x-team: green"));
    under("{action: DENY, rules: [{when: [{key: 'request.headers[x-team]', values: [red]}]}]}")
        .passes(RawHttp.Request.get("/"), RawHttp.Request.get("/", "x-team: redder"))
        .refuses(
            RawHttp.Request.get("/", "x-team: red"),
            RawHttp.Request.get("/", "x-team: green", "x-team: red"),
            RawHttp.Request.get("/", "x-team: red", "x-team: green"),
            RawHttp.Request.get("/", "x-team: green,  red , blue"));
    under("rules: [{when: [{key: 'request.headers[x-team]', values: ['*red']}]}]")
        .passes(
            RawHttp.Request.get("/", "x-team: red"),
            RawHttp.Request.get("/", "x-team: bored", "x-team: tired"))
        .refuses(
            RawHttp.Request.get("/", "x-team: rod"),
            RawHttp.Request.get("/", "x-team: red", "x-team: ed"));
    under("{action: DENY, rules: [{when: [{key: 'request.headers[x-team]', values: ['red*']}]}]}")
        .refuses(
            RawHttp.Request.get("/", "x-team: red\u00ff"),
            RawHttp.Request.get("/", "x-team: a", "x-team: red\u00ff"));
    under("rules: [{when: [{key: 'request.headers[x-team]', notValues: ['*']}]}]")
        .passes(RawHttp.Request.get("/"))
        .refuses(RawHttp.Request.get("/", "x-team: red"));
    under("{action: DENY, rules: [{when: [{key: 'request.headers[Host]', values: [a.example]}]}]}")
        .refuses(RawHttp.Request.get("/", "Host: a.example"));
    check(folder);
  }

  @Test
  void pathsHoweverTheyAreSpelt(@TempDir Path folder) throws IOException {
    under("{action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}")
        .passes(
            RawHttp.Request.get("/"),
            RawHttp.Request.get("/administrator"),
            RawHttp.Request.get("/x?next=/admin"),
            RawHttp.Request.get("/group%2Fproject"),
            RawHttp.Request.get("/a//b"),
            RawHttp.Request.get("/Admin2"))
        .refuses(
            RawHttp.Request.get("/admin"),
            RawHttp.Request.get("/admin?x=1"),
            RawHttp.Request.get("//admin"),
            RawHttp.Request.get("/x/../admin"),
            RawHttp.Request.get("/./admin"),
            RawHttp.Request.get("/x/%2e%2e/admin"),
            RawHttp.Request.get("/x/.%2E/admin"),
            RawHttp.Request.get("/%61dmin"),
            RawHttp.Request.get("/%61%64%6D%69%6e"),
            RawHttp.Request.get("/%2Fadmin"),
            RawHttp.Request.get("/%5cadmin"),
            RawHttp.Request.get("/admin;x=1"),
            RawHttp.Request.get("/x%2f..%2fadmin"),
            RawHttp.Request.get("/x/..%2fadmin"),
            RawHttp.Request.get("/x/..;/admin"),
            RawHttp.Request.get("/x%5c..%5cadmin"));
    under("{action: DENY, rules: [{to: [{operation: {paths: ['/admin/*']}}]}]}")
        .passes(RawHttp.Request.get("/admin"), RawHttp.Request.get("/public/admin/"))
        .refuses(
            RawHttp.Request.get("/admin/"),
            RawHttp.Request.get("/admin/x"),
            RawHttp.Request.get("/admin%2Fx"),
            RawHttp.Request.get("/admin//x"),
            RawHttp.Request.get("/admin;a=b/x"),
            RawHttp.Request.get("/x/%2e%2e%2fadmin/x"));
    under("{action: DENY, rules: [{to: [{operation: {paths: ['*.secret']}}]}]}")
        .passes(RawHttp.Request.get("/a.secrets"))
        .refuses(RawHttp.Request.get("/a.secret"), RawHttp.Request.get("/a%2Esecret"));
    under("rules: [{to: [{operation: {paths: ['/public/*']}}]}]")
        .passes(RawHttp.Request.get("/public/x"), RawHttp.Request.get("/public/a%2Fb"))
        .refuses(
            RawHttp.Request.get("/"),
            RawHttp.Request.get("/public"),
            RawHttp.Request.get("/public/../admin"),
            RawHttp.Request.get("/public/%2e%2e/admin"),
            RawHttp.Request.get("/public/..%2fadmin"),
            RawHttp.Request.get("/public/%2e%2e%2fadmin"),
            RawHttp.Request.get("/public/..;/admin"),
            RawHttp.Request.get("/public/..%5cadmin"),
            RawHttp.Request.get("/public%2f..%2fadmin"));
    under("rules: [{to: [{operation: {notPaths: ['/admin*']}}]}]")
        .passes(RawHttp.Request.get("/public"))
        .refuses(
            RawHttp.Request.get("/admin"),
            RawHttp.Request.get("/%61dmin"),
            RawHttp.Request.get("/x/..%2fadmin"),
            RawHttp.Request.get("//admin"));
    under("rules: [{to: [{operation: {paths: ['/users/{*}/orders', '/files/{**}']}}]}]")
        .passes(
            RawHttp.Request.get("/users/7/orders"),
            RawHttp.Request.get("/files/a"),
            RawHttp.Request.get("/files/a/b/c"))
        .refuses(
            RawHttp.Request.get("/users/7/8/orders"),
            RawHttp.Request.get("/users//orders"),
            RawHttp.Request.get("/users/7/orders/8"),
            RawHttp.Request.get("/file/a"));
    under("{action: DENY, rules: [{to: [{operation: {paths: ['/users/{*}/orders']}}]}]}")
        .passes(RawHttp.Request.get("/users/7"))
        .refuses(
            RawHttp.Request.get("/users/7/orders"),
            RawHttp.Request.get("/users/7%2Forders"),
            RawHttp.Request.get("/%75sers/7/orders"));
    String path = "/" + "long".repeat(200);
    under("{action: DENY, rules: [{to: [{operation: {paths: ['" + path + "']}}]}]}")
        .passes(RawHttp.Request.get("/x"))
        .refuses(RawHttp.Request.get(path));
    check(folder);
  }

  @Test
  void policiesTogether(@TempDir Path folder) throws IOException {
    String allowGet = "rules: [{to: [{operation: {methods: [GET]}}]}]";
    String allowClient =
        "rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}]";
    String denySecret = "{action: DENY, rules: [{to: [{operation: {paths: [/secret]}}]}]}";
    under(allowGet, allowClient, denySecret)
        .passes(RawHttp.Request.get("/"), as(CLIENT, RawHttp.Request.of("POST", "/")))
        .refuses(
            RawHttp.Request.of("POST", "/"),
            as(CLIENT, RawHttp.Request.get("/secret")),
            RawHttp.Request.get("/secret"));
    under(denySecret)
        .passes(RawHttp.Request.of("POST", "/"))
        .refuses(RawHttp.Request.get("/secret"));
    under("{}").refuses(RawHttp.Request.get("/"), as(CLIENT, RawHttp.Request.get("/")));
    under("rules: [{}]").passes(RawHttp.Request.get("/"));
    under("{action: DENY}").passes(RawHttp.Request.get("/"));
    under("{action: DENY, rules: [{}]}").refuses(RawHttp.Request.get("/"));
    // What nobody understands makes a policy stricter.
    under("rules: [{to: [{operation: {ports: ['http']}}]}]").refuses(RawHttp.Request.get("/"));
    under("rules: [{when: [{key: moon.phase, values: [full]}]}]").refuses(RawHttp.Request.get("/"));
    under("{action: DENY, rules: [{to: [{operation: {ports: ['http'], methods: [GET]}}]}]}")
        .passes(RawHttp.Request.of("POST", "/"))
        .refuses(RawHttp.Request.get("/"));
    under("{action: DENY, rules: [{from: [{source: {notPrincipals: ['spiffe://x']}}]}]}")
        .refuses(as(CLIENT, RawHttp.Request.get("/")));
    under(
            """
            rules:
            - from: [{source: {namespaces: [default]}}, {source: {namespaces: [x], ipBlocks: [127.0.0.1]}}]
              to: [{operation: {methods: [GET], paths: [/a]}}, {operation: {methods: [PUT]}}]
              when: [{key: 'request.headers[x-a]', values: ['1']}, {key: 'request.headers[x-b]', notValues: ['2']}]
            """)
        .passes(
            as(CLIENT, RawHttp.Request.get("/a", "x-a: 1")),
            as("spiffe://cluster.local/ns/x/sa/y", RawHttp.Request.of("PUT", "/b", "x-a: 1")))
        .refuses(
            as(CLIENT, RawHttp.Request.get("/a")),
            as(CLIENT, RawHttp.Request.get("/b", "x-a: 1")),
            as(CLIENT, RawHttp.Request.get("/a", "x-a: 1", "x-b: 2")),
            as(OTHER, RawHttp.Request.get("/a", "x-a: 1")));
    check(folder);
  }

  @Test
  void whatIsOnlyTriedOrAuditedPassesAndShows(@TempDir Path folder) throws IOException {
    AuthorizationPolicy tried =
        Policies.dryRun(
            Policies.policy(
                "tried", "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}"));
    AuthorizationPolicy triedAllow =
        Policies.dryRun(
            Policies.policy("tried-allow", "rules: [{to: [{operation: {methods: [PUT]}}]}]"));
    AuthorizationPolicy audited =
        Policies.policy(
            "audited", "{action: AUDIT, rules: [{to: [{operation: {paths: ['/a*']}}]}]}");
    SecurityEnvoy configuration =
        new SecurityEnvoy().listener("one", Policies.security(tried, triedAllow, audited).slots());
    try (EnvoyProcess envoy = configuration.start(folder)) {
      int port = envoy.port("one");
      RawHttp.Response get = RawHttp.once(port, RawHttp.Request.get("/a"));
      assertThat(get.status()).isEqualTo(200);
      assertThat(get.header("x-dry-run")).isEqualTo("ns[default]-policy[tried]-rule[0]");
      assertThat(get.header("x-audit")).isEqualTo("ns[default]-policy[audited]-rule[0]");
      RawHttp.Response put = RawHttp.once(port, RawHttp.Request.of("PUT", "/b"));
      assertThat(put.status()).isEqualTo(200);
      assertThat(put.header("x-audit")).isIn("", "-");
      assertThat(envoy.stat("http.one.rbac.istio_dry_run_deny_.shadow_denied")).isEqualTo(1);
      assertThat(envoy.stat("http.one.rbac.istio_dry_run_deny_.shadow_allowed")).isEqualTo(1);
      assertThat(envoy.stat("http.one.rbac.istio_dry_run_allow_.shadow_denied")).isEqualTo(1);
      assertThat(envoy.stat("http.one.rbac.istio_dry_run_allow_.shadow_allowed")).isEqualTo(1);
    }
  }
}
