package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import dev.ambit.operator.waypoint.testing.Tokens;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real Envoy verifies tokens as policies say. */
class RequestTokensIT {
  private static final String ISSUER = "https://issuer.example/a";
  private static final String LATER = "4102444800";

  private final Tokens issuer = new Tokens("one");
  private final Tokens other = new Tokens("two");

  RequestTokensIT() throws GeneralSecurityException {}

  private static ServiceSecurity security(
      MeshServices services,
      List<RequestAuthentication> authentications,
      AuthorizationPolicy... policies) {
    return ServiceSecurity.of(
        Policies.KEY,
        new AttachedPolicies(List.of(policies), authentications),
        Policies.settings(),
        services,
        "default");
  }

  private static ServiceSecurity security(
      RequestAuthentication authentication, AuthorizationPolicy... policies) {
    return security(Policies.services(), List.of(authentication), policies);
  }

  private static String claims(String issuer, String subject, String more) {
    return "{\"iss\":\"%s\",\"sub\":\"%s\",\"exp\":%s%s}".formatted(issuer, subject, LATER, more);
  }

  private static RawHttp.Request bearing(String token) {
    return RawHttp.Request.get("/", "Authorization: Bearer " + token);
  }

  private static String rule(Tokens issuer, String more) {
    return "- {issuer: '%s', jwks: '%s'%s}".formatted(ISSUER, issuer.keySet(), more);
  }

  @Test
  void goodAndBadTokens(@TempDir Path folder) throws IOException, GeneralSecurityException {
    SecurityEnvoy configuration =
        new SecurityEnvoy()
            .listener("any", security(Policies.authentication("a", rule(issuer, ""))).slots())
            .listener(
                "audience",
                security(Policies.authentication("a", rule(issuer, ", audiences: [server, x]")))
                    .slots())
            .listener(
                "required",
                security(
                        Policies.authentication("a", rule(issuer, "")),
                        Policies.policy(
                            "p", "rules: [{from: [{source: {requestPrincipals: ['*']}}]}]"))
                    .slots())
            .listener(
                "no-keys",
                security(Policies.authentication("a", "- {issuer: '" + ISSUER + "'}")).slots())
            .listener(
                "bad-keys",
                security(Policies.authentication("a", "- {issuer: '" + ISSUER + "', jwks: '{}'}"))
                    .slots());
    try (EnvoyProcess envoy = configuration.start(folder)) {
      int any = envoy.port("any");
      String good = issuer.sign(claims(ISSUER, "alice", ""));
      assertThat(RawHttp.once(any, RawHttp.Request.get("/")).status()).isEqualTo(200);
      assertThat(RawHttp.once(any, bearing(good)).status()).isEqualTo(200);
      // Not forwarded, unless it is asked for.
      assertThat(RawHttp.once(any, bearing(good)).header("x-authorization")).isIn("", "-");
      assertThat(RawHttp.once(any, RawHttp.Request.get("/?access_token=" + good)).status())
          .isEqualTo(200);
      for (String bad :
          List.of(
              other.sign(claims(ISSUER, "alice", "")),
              issuer.sign(claims("https://other.example", "alice", "")),
              issuer.sign("{\"iss\":\"" + ISSUER + "\",\"sub\":\"alice\",\"exp\":1000}"),
              issuer.sign(claims(ISSUER, "alice", ",\"nbf\":" + LATER)),
              good.substring(0, good.length() - 8) + "AAAAAAAA",
              "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlL2EifQ.",
              "nonsense")) {
        assertThat(RawHttp.once(any, bearing(bad)).status()).as(bad).isEqualTo(401);
      }
      int audience = envoy.port("audience");
      assertThat(
              RawHttp.once(
                      audience, bearing(issuer.sign(claims(ISSUER, "a", ",\"aud\":[\"y\",\"x\"]"))))
                  .status())
          .isEqualTo(200);
      assertThat(
              RawHttp.once(audience, bearing(issuer.sign(claims(ISSUER, "a", ",\"aud\":\"y\""))))
                  .status())
          .isEqualTo(403);
      int required = envoy.port("required");
      assertThat(RawHttp.once(required, RawHttp.Request.get("/")).status()).isEqualTo(403);
      assertThat(RawHttp.once(required, bearing(good)).status()).isEqualTo(200);
      assertThat(RawHttp.once(required, bearing("nonsense")).status()).isEqualTo(401);
      for (String without : List.of("no-keys", "bad-keys")) {
        int port = envoy.port(without);
        assertThat(RawHttp.once(port, RawHttp.Request.get("/")).status()).isEqualTo(200);
        assertThat(RawHttp.once(port, bearing(good)).status()).as(without).isEqualTo(401);
      }
    }
  }

  @Test
  void claimsInRules(@TempDir Path folder) throws IOException, GeneralSecurityException {
    SecurityEnvoy configuration = new SecurityEnvoy();
    List<String> rules =
        List.of(
            "from: [{source: {requestPrincipals: ['https://issuer.example/a/team/alice']}}]",
            "from: [{source: {requestPrincipals: ['https://issuer.example/a/*']}}]",
            "from: [{source: {requestPrincipals: ['*/alice']}}]",
            "from: [{source: {notRequestPrincipals: ['*/bob']}}]",
            "when: [{key: 'request.auth.principal', values: ['https://issuer.example/a/team/alice']}]",
            "when: [{key: 'request.auth.audiences', values: [one]}]",
            "when: [{key: 'request.auth.presenter', values: ['app*']}]",
            "when: [{key: 'request.auth.claims[groups]', values: [admins]}]",
            "when: [{key: 'request.auth.claims[realm][roles]', values: ['wri*']}]",
            "when: [{key: 'request.auth.claims[scope]', values: [read]}]",
            "when: [{key: 'request.auth.claims[groups]', notValues: [guests]}]");
    for (int i = 0; i < rules.size(); i++) {
      configuration.listener(
          "rule-" + i,
          security(
                  Policies.authentication("a", rule(issuer, "")),
                  Policies.policy("p", "rules: [{" + rules.get(i) + "}]"))
              .slots());
    }
    configuration.listener(
        "deny-verified",
        security(
                Policies.authentication("a", rule(issuer, "")),
                Policies.policy(
                    "p",
                    "{action: DENY, rules: [{when: [{key: 'request.auth.claims[admin]', values:"
                        + " ['true', '7']}]}]}"))
            .slots());
    String alice =
        issuer.sign(
            claims(
                ISSUER,
                "team/alice",
                ",\"aud\":[\"one\",\"two\"],\"azp\":\"app-1\",\"groups\":[\"users\",\"admins\"],"
                    + "\"realm\":{\"roles\":[\"write\"]},\"scope\":\"read delete\""));
    String bob =
        issuer.sign(
            claims(
                ISSUER + "b",
                "bob",
                ",\"groups\":[\"guests\"],\"realm\":\"x\",\"scope\":\"reader\""));
    String carol =
        issuer.sign(
            claims(
                ISSUER,
                "bob",
                ",\"aud\":\"three\",\"azp\":\"x\",\"groups\":[\"guests\"],"
                    + "\"realm\":{\"roles\":[\"read\"]},\"scope\":\"reader\""));
    try (EnvoyProcess envoy = configuration.start(folder)) {
      for (int i = 0; i < rules.size(); i++) {
        int port = envoy.port("rule-" + i);
        assertThat(RawHttp.once(port, bearing(alice)).status()).as(rules.get(i)).isEqualTo(200);
        assertThat(RawHttp.once(port, bearing(bob)).status()).as(rules.get(i)).isEqualTo(401);
        if (i != 1) {
          assertThat(RawHttp.once(port, bearing(carol)).status()).as(rules.get(i)).isEqualTo(403);
        }
      }
      int port = envoy.port("deny-verified");
      assertThat(
              RawHttp.once(port, bearing(issuer.sign(claims(ISSUER, "a", ",\"admin\":true"))))
                  .status())
          .isEqualTo(403);
      assertThat(
              RawHttp.once(port, bearing(issuer.sign(claims(ISSUER, "a", ",\"admin\":7"))))
                  .status())
          .isEqualTo(403);
      assertThat(
              RawHttp.once(port, bearing(issuer.sign(claims(ISSUER, "a", ",\"admin\":false"))))
                  .status())
          .isEqualTo(200);
    }
  }

  @Test
  void whereTokensComeFromAndWhatIsMadeOfThem(@TempDir Path folder)
      throws IOException, GeneralSecurityException {
    SecurityEnvoy configuration =
        new SecurityEnvoy()
            .listener(
                "places",
                security(
                        Policies.authentication(
                            "a",
                            rule(
                                issuer,
                                ", fromHeaders: [{name: x-token, prefix: 'T '}], fromParams:"
                                    + " [tok], fromCookies: [sess], forwardOriginalToken: true,"
                                    + " outputPayloadToHeader: x-payload, outputClaimToHeaders:"
                                    + " [{header: x-claim, claim: sub}]")),
                        Policies.policy(
                            "p", "rules: [{from: [{source: {requestPrincipals: ['*']}}]}]"))
                    .slots())
            .listener(
                "several",
                security(
                        Policies.services(),
                        List.of(
                            Policies.authentication("a", rule(issuer, "")),
                            Policies.authentication(
                                "b",
                                "- {issuer: 'https://b.example', jwks: '%s', fromHeaders: [{name:"
                                        .formatted(other.keySet())
                                    + " x-token}]}")))
                    .slots())
            .listener(
                "same-issuer",
                security(
                        Policies.services(),
                        List.of(
                            Policies.authentication("a", rule(issuer, ", audiences: [x]")),
                            Policies.authentication("b", rule(issuer, ", audiences: [y]"))))
                    .slots());
    try (EnvoyProcess envoy = configuration.start(folder)) {
      String good = issuer.sign(claims(ISSUER, "alice", ""));
      int places = envoy.port("places");
      for (RawHttp.Request request :
          List.of(
              RawHttp.Request.get("/", "x-token: T " + good),
              RawHttp.Request.get("/?tok=" + good),
              RawHttp.Request.get("/", "cookie: a=b; sess=" + good))) {
        RawHttp.Response response =
            RawHttp.once(places, request.with("x-claim", "forged").with("x-payload", "forged"));
        assertThat(response.status()).as(request.toString()).isEqualTo(200);
        assertThat(response.header("x-claim")).isEqualTo("alice");
        assertThat(response.header("x-payload")).doesNotContain("forged").isNotEmpty();
      }
      // Elsewhere nobody looks for one.
      assertThat(RawHttp.once(places, bearing(good)).status()).isEqualTo(403);

      int several = envoy.port("several");
      String second = other.sign(claims("https://b.example", "bob", ""));
      assertThat(RawHttp.once(several, bearing(good)).status()).isEqualTo(200);
      assertThat(RawHttp.once(several, RawHttp.Request.get("/", "x-token: " + second)).status())
          .isEqualTo(200);
      assertThat(RawHttp.once(several, bearing(good).with("x-token", second)).status())
          .isEqualTo(200);
      // Of several tokens a good one is enough, wherever it is.
      assertThat(RawHttp.once(several, bearing("bad").with("x-token", second)).status())
          .isEqualTo(200);
      assertThat(RawHttp.once(several, bearing(good).with("x-token", "bad")).status())
          .isEqualTo(200);
      assertThat(RawHttp.once(several, bearing("bad").with("x-token", "bad")).status())
          .isEqualTo(401);
      assertThat(RawHttp.once(several, RawHttp.Request.get("/", "x-token: bad")).status())
          .isEqualTo(401);
      assertThat(RawHttp.once(several, RawHttp.Request.get("/")).status()).isEqualTo(200);
      // An issuer's token counts only where its rule looks for it.
      assertThat(RawHttp.once(several, bearing(second)).status()).isEqualTo(401);

      int same = envoy.port("same-issuer");
      for (String audience : List.of("x", "y")) {
        assertThat(
                RawHttp.once(
                        same,
                        bearing(issuer.sign(claims(ISSUER, "a", ",\"aud\":\"" + audience + "\""))))
                    .status())
            .as(audience)
            .isEqualTo(200);
      }
      assertThat(
              RawHttp.once(same, bearing(issuer.sign(claims(ISSUER, "a", ",\"aud\":\"z\""))))
                  .status())
          .isIn(401, 403);
      assertThat(RawHttp.once(same, RawHttp.Request.get("/")).status()).isEqualTo(200);
    }
  }

  @Test
  void keysAreFetched(@TempDir Path folder) throws IOException, GeneralSecurityException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 0), 0);
    server.createContext(
        "/keys",
        exchange -> {
          byte[] keys = issuer.keySet().getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, keys.length);
          exchange.getResponseBody().write(keys);
          exchange.close();
        });
    server.start();
    int port = server.getAddress().getPort();
    MeshService keys = Policies.service("auth", "keys", Policies.port(port, PortProtocol.HTTP));
    ServiceSecurity inMesh =
        security(
            Policies.services(keys),
            List.of(
                Policies.authentication(
                    "a",
                    "- {issuer: '%s', jwksUri: 'http://%s:%d/keys'}"
                        .formatted(ISSUER, keys.hostname(), port))));
    ServiceSecurity outside =
        security(
            Policies.authentication(
                "a",
                "- {issuer: '%s', jwksUri: 'http://localhost:%d/keys'}".formatted(ISSUER, port)));
    ServiceSecurity unreachable =
        security(
            Policies.authentication(
                "a", "- {issuer: '%s', jwksUri: 'https://localhost:1/keys'}".formatted(ISSUER)));
    assertThat(inMesh.clusters()).isEmpty();
    assertThat(inMesh.backends()).hasSize(1);
    assertThat(outside.backends()).isEmpty();
    SecurityEnvoy configuration =
        new SecurityEnvoy()
            .cluster(inMesh.backends().iterator().next().clusterName(), port, false)
            .clusters(outside.clusters())
            .clusters(unreachable.clusters())
            .listener("mesh", inMesh.slots())
            .listener("outside", outside.slots())
            .listener("unreachable", unreachable.slots());
    try (EnvoyProcess envoy = configuration.start(folder)) {
      String good = issuer.sign(claims(ISSUER, "alice", ""));
      for (String listener : List.of("mesh", "outside")) {
        await(listener)
            .atMost(Duration.ofSeconds(20))
            .until(() -> RawHttp.once(envoy.port(listener), bearing(good)).status() == 200);
        assertThat(
                RawHttp.once(envoy.port(listener), bearing(other.sign(claims(ISSUER, "alice", ""))))
                    .status())
            .isEqualTo(401);
      }
      assertThat(RawHttp.once(envoy.port("unreachable"), bearing(good)).status()).isEqualTo(401);
      assertThat(RawHttp.once(envoy.port("unreachable"), RawHttp.Request.get("/")).status())
          .isEqualTo(200);
    } finally {
      server.stop(0);
    }
  }
}
