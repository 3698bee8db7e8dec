package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.route.model.ConnectionRoute;
import dev.ambit.operator.waypoint.route.model.ConnectionRoutes;
import dev.ambit.operator.waypoint.route.model.PassThrough;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import io.envoyproxy.envoy.config.route.v3.RedirectAction;
import io.envoyproxy.envoy.config.route.v3.RetryPolicy;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class VirtualServicesTest {
  private static TestMesh shop() {
    return new TestMesh().service("shop", "cart", TestMesh.http(80));
  }

  private static TestMesh rules(String http) {
    return shop().virtualService("shop/cart", "hosts: [cart]\nhttp:\n" + http);
  }

  private static List<String> statuses(TestMesh mesh) {
    return mesh.routes("cart", 80).stream()
        .map(route -> String.valueOf(route.getDirectResponse().getStatus()))
        .toList();
  }

  private static String message(TestMesh mesh) {
    return mesh.status("VirtualService", "shop/cart").condition().message();
  }

  private static boolean accepted(TestMesh mesh) {
    return mesh.status("VirtualService", "shop/cart").condition().holds();
  }

  private static RouteMatch match(String match) {
    return rules("- {match: [{" + match + "}], directResponse: {status: 200}}")
        .routes("cart", 80)
        .getFirst()
        .getMatch();
  }

  private static Route route(String fields) {
    return rules("- {" + fields + ", route: [{destination: {host: cart}}]}")
        .routes("cart", 80)
        .getFirst();
  }

  // --- Matches

  @Test
  void matchesPaths() {
    assertThat(match("uri: {exact: /a}").getPath()).isEqualTo("/a");
    assertThat(match("uri: {prefix: /a}").getPrefix()).isEqualTo("/a");
    assertThat(match("uri: {regex: \"/a.*\"}").getSafeRegex().getRegex()).isEqualTo("/a.*");
    assertThat(match("uri: {exact: /a}, ignoreUriCase: true").getCaseSensitive().getValue())
        .isFalse();
    assertThat(match("uri: {exact: /a}").hasCaseSensitive()).isFalse();
  }

  @Test
  void matchesPseudoHeaders() {
    RouteMatch match =
        match("method: {exact: GET}, authority: {prefix: cart}, scheme: {regex: http}");

    assertThat(match.getHeadersList())
        .extracting(header -> header.getName())
        .containsExactlyInAnyOrder(":method", ":authority", ":scheme");
  }

  @Test
  void matchesHeadersAndTheirAbsence() {
    RouteMatch match =
        match(
            "headers: {x-a: {exact: \"1\"}, x-b: {}, x-c: {regex: \"*\"}}, withoutHeaders: {x-d: {prefix: p}, x-e: {}}");

    assertThat(match.getHeadersList())
        .satisfiesExactly(
            a -> assertThat(a.getStringMatch().getExact()).isEqualTo("1"),
            b -> assertThat(b.getPresentMatch()).isTrue(),
            c -> assertThat(c.getPresentMatch()).isTrue(),
            d -> {
              assertThat(d.getInvertMatch()).isTrue();
              assertThat(d.getTreatMissingHeaderAsEmpty()).isTrue();
            },
            e -> {
              assertThat(e.getInvertMatch()).isTrue();
              assertThat(e.getPresentMatch()).isTrue();
            });
  }

  @Test
  void matchesQueries() {
    assertThat(match("queryParams: {a: {exact: \"1\"}, b: {}}").getQueryParametersList())
        .satisfiesExactly(
            a -> assertThat(a.getStringMatch().getExact()).isEqualTo("1"),
            b -> assertThat(b.getPresentMatch()).isTrue());
  }

  @Test
  void matchesClaimsOfTokens() {
    RouteMatch match =
        match(
            "headers: {\"@request.auth.claims.group\": {exact: admin}, \"@request.auth.claims[a.b][c]\": {}}, withoutHeaders: {\"@request.auth.claims.sub\": {prefix: x}}");

    assertThat(match.getDynamicMetadataList())
        .satisfiesExactlyInAnyOrder(
            group -> {
              assertThat(group.getFilter()).isEqualTo("envoy.filters.http.jwt_authn");
              assertThat(group.getPathList())
                  .extracting(segment -> segment.getKey())
                  .containsExactly("payload", "group");
              assertThat(group.getValue().getOrMatch().getValueMatchersCount()).isEqualTo(2);
            },
            nested ->
                assertThat(nested.getPathList())
                    .extracting(segment -> segment.getKey())
                    .containsExactly("payload", "a.b", "c"),
            absent -> assertThat(absent.getInvert()).isTrue());
    TestMesh bad =
        rules(
            "- {match: [{headers: {\"@request.auth.claims[\": {}}}], directResponse: {status: 200}}");
    assertThat(message(bad)).contains("names no claim");
  }

  @Test
  void namesRoutes() {
    Route route =
        rules(
                "- {name: rule, match: [{name: first, statPrefix: a.b}], directResponse: {status: 200}}")
            .routes("cart", 80)
            .getFirst();

    assertThat(route.getName()).isEqualTo("rule.first");
    assertThat(route.getStatPrefix()).isEqualTo("a_b");
  }

  @Test
  void neverMatchesWhatItCannotDecideAndSaysSo() {
    for (String match :
        List.of(
            "sourceLabels: {app: x}",
            "uri: {regex: \"[\"}",
            "uri: {exact: /a, prefix: /b}",
            "headers: {x-a: {regex: \"(?!x)\"}}",
            "headers: {\"a b\": {}}",
            "withoutHeaders: {x-a: {regex: \"(\"}}",
            "queryParams: {a: {regex: \"*a\"}}",
            "sourceNamespace: \"a/sa/b\"",
            "novelty: {exact: a}")) {
      TestMesh mesh =
          rules(
              "- {match: [{"
                  + match
                  + "}], directResponse: {status: 201}}\n- {directResponse: {status: 200}}");

      assertThat(statuses(mesh)).as(match).containsExactly("200");
      assertThat(accepted(mesh)).as(match).isFalse();
      assertThat(message(mesh)).as(match).contains("spec.http[0].match[0]").contains("never");
    }
  }

  @Test
  void leavesOutWhatIsForOtherPortsAndGatewaysWithoutComplaint() {
    TestMesh mesh =
        rules(
            """
            - {match: [{port: 81}], directResponse: {status: 201}}
            - {match: [{gateways: [edge]}], directResponse: {status: 202}}
            - {match: [{gateways: [edge, mesh], port: 80}], directResponse: {status: 203}}
            """);

    assertThat(statuses(mesh)).containsExactly("203");
    assertThat(accepted(mesh)).isTrue();
  }

  // --- Actions

  @Test
  void hasIstiosDefaults() {
    Route route = route("name: a");
    RetryPolicy retries = route.getRoute().getRetryPolicy();

    assertThat(route.getRoute().getTimeout().getSeconds()).isZero();
    assertThat(route.getRoute().hasTimeout()).isTrue();
    assertThat(route.getRoute().getMaxStreamDuration().hasGrpcTimeoutHeaderMax()).isTrue();
    assertThat(retries.getNumRetries().getValue()).isEqualTo(2);
    assertThat(retries.getRetryOn())
        .isEqualTo("connect-failure,refused-stream,unavailable,cancelled");
    assertThat(retries.getHostSelectionRetryMaxAttempts()).isEqualTo(5);
    assertThat(retries.getRetryHostPredicateCount()).isEqualTo(1);
  }

  @Test
  void endsAndTriesAgainAsWritten() {
    Route route =
        route(
            "timeout: 5s, retries: {attempts: 3, perTryTimeout: 2s, retryOn: \"5xx,429\", backoff: 50ms, retryRemoteLocalities: true, retryIgnorePreviousHosts: false}");
    RetryPolicy retries = route.getRoute().getRetryPolicy();

    assertThat(route.getRoute().getTimeout().getSeconds()).isEqualTo(5);
    // Envoy would heed no timeout beside it.
    assertThat(route.getRoute().hasMaxStreamDuration()).isFalse();
    assertThat(retries.getNumRetries().getValue()).isEqualTo(3);
    assertThat(retries.getPerTryTimeout().getSeconds()).isEqualTo(2);
    assertThat(retries.getRetryOn()).isEqualTo("5xx,retriable-status-codes");
    assertThat(retries.getRetriableStatusCodesList()).containsExactly(429);
    assertThat(retries.getRetryBackOff().getBaseInterval().getNanos()).isEqualTo(50_000_000);
    assertThat(retries.hasRetryPriority()).isTrue();
    assertThat(retries.getRetryHostPredicateCount()).isZero();
  }

  @Test
  void neverTriesAgainWhereThatIsWritten() {
    Route route = route("retries: {attempts: 0}");

    assertThat(route.getRoute().getRetryPolicy().getNumRetries().getValue()).isZero();
    assertThat(route.getRoute().getRetryPolicy().getRetryOn()).isEmpty();
  }

  @Test
  void saysWhatIsNoCondition() {
    assertThat(
            message(
                rules(
                    "- {retries: {attempts: 1, retryOn: \"5xx,whenever\"}, route: [{destination: {host: cart}}]}")))
        .contains("\"whenever\"");
  }

  @Test
  void triesAgainAfterResetsWhatMayBeRepeated() {
    TestMesh mesh = rules("- {route: [{destination: {host: cart}}]}");
    List<Route> both = mesh.requests("cart", 80).virtualHosts().getFirst().getRoutesList();

    assertThat(both).hasSize(2);
    assertThat(both.getFirst().getRoute().getRetryPolicy().getRetryOn()).endsWith(",reset");
    assertThat(both.getFirst().getMatch().getHeaders(0).getStringMatch().getSafeRegex().getRegex())
        .contains("GET")
        .doesNotContain("POST");
    assertThat(both.get(1).getMatch().getHeadersCount()).isZero();

    TestMesh methods =
        rules(
            """
            - {match: [{method: {exact: GET}}], route: [{destination: {host: cart}}]}
            - {match: [{method: {exact: POST}}], route: [{destination: {host: cart}}]}
            """);
    assertThat(methods.requests("cart", 80).virtualHosts().getFirst().getRoutesList())
        .extracting(each -> each.getRoute().getRetryPolicy().getRetryOn().endsWith(",reset"))
        .containsExactly(true, false);
  }

  @Test
  void neverRepeatsCallsAfterResets() {
    TestMesh mesh = new TestMesh().service("shop", "cart", TestMesh.port(80, PortProtocol.GRPC));

    assertThat(mesh.requests("cart", 80).virtualHosts().getFirst().getRoutesList())
        .singleElement()
        .satisfies(
            route ->
                assertThat(route.getRoute().getRetryPolicy().getRetryOn())
                    .doesNotContain("reset")
                    .contains("unavailable"));
  }

  @Test
  void redirectsAsWritten() {
    RedirectAction redirect = redirect("uri: /x, authority: a.example, scheme: https, port: 8443");
    assertThat(redirect.getPathRedirect()).isEqualTo("/x");
    assertThat(redirect.getHostRedirect()).isEqualTo("a.example");
    assertThat(redirect.getSchemeRedirect()).isEqualTo("https");
    assertThat(redirect.getPortRedirect()).isEqualTo(8443);
    assertThat(redirect.getResponseCode())
        .isEqualTo(RedirectAction.RedirectResponseCode.MOVED_PERMANENTLY);
    assertThat(redirect("scheme: https, port: 443").getPortRedirect()).isZero();
    assertThat(redirect("derivePort: FROM_REQUEST_PORT, scheme: https").getPortRedirect())
        .isEqualTo(80);
    assertThat(redirect("derivePort: FROM_PROTOCOL_DEFAULT").getPortRedirect()).isZero();
    assertThat(redirect("redirectCode: 307").getResponseCode())
        .isEqualTo(RedirectAction.RedirectResponseCode.TEMPORARY_REDIRECT);

    TestMesh bad = rules("- {redirect: {redirectCode: 399}}");
    assertThat(statuses(bad)).containsExactly("500");
    assertThat(message(bad)).contains("redirectCode");
  }

  private static RedirectAction redirect(String fields) {
    return rules("- {redirect: {" + fields + "}}").routes("cart", 80).getFirst().getRedirect();
  }

  @Test
  void answersByItself() {
    assertThat(
            rules("- {directResponse: {status: 418, body: {string: teapot}}}")
                .routes("cart", 80)
                .getFirst()
                .getDirectResponse()
                .getBody()
                .getInlineBytes()
                .toStringUtf8())
        .isEqualTo("teapot");
    TestMesh bad = rules("- {directResponse: {status: 99, body: {bytes: \"*\"}}}");
    assertThat(statuses(bad)).containsExactly("500");
    assertThat(message(bad)).contains("directResponse.status").contains("directResponse.body");
  }

  @Test
  void rewritesAsWritten() {
    assertThat(route("rewrite: {uri: /x, authority: a}").getRoute().getPrefixRewrite())
        .isEqualTo("/x");
    assertThat(route("rewrite: {authority: a}").getRoute().getHostRewriteLiteral()).isEqualTo("a");
    assertThat(
            route("rewrite: {uriRegexRewrite: {match: \"/(.*)\", rewrite: \"/x/\\\\1\"}}")
                .getRoute()
                .getRegexRewrite()
                .getSubstitution())
        .isEqualTo("/x/\\1");
    assertThat(
            message(
                rules(
                    "- {rewrite: {uri: /b, uriRegexRewrite: {match: \"/(.*)\", rewrite: \"/x/\\\\2\"}}, route: [{destination: {host: cart}}]}")))
        .contains("uriRegexRewrite.rewrite")
        .contains("rewrite.uri");
  }

  @Test
  void changesHeadersAndNeverBreaksEnvoyByThem() {
    Route route =
        route(
            "headers: {request: {set: {x-a: \"1\", host: other, \":path\": /}, add: {x-b: 100%, x-c: \"%REQ(x-d)%\"}, remove: [x-e, \":method\"]}, response: {set: {server: x}}}");

    assertThat(route.getRequestHeadersToAddList())
        .extracting(header -> header.getHeader().getKey() + "=" + header.getHeader().getValue())
        .containsExactly("x-a=1", "x-b=100%%", "x-c=%REQ(x-d)%");
    assertThat(route.getRequestHeadersToRemoveList()).containsExactly("x-e");
    assertThat(route.getRoute().getHostRewriteLiteral()).isEqualTo("other");
    assertThat(route.getResponseHeadersToAdd(0).getHeader().getKey()).isEqualTo("server");
    assertThat(
            message(
                rules(
                    "- {headers: {request: {set: {\":path\": /, x: \"%ENVIRONMENT(TOKEN)%\", y: \"a\\nb\"}}}, route: [{destination: {host: cart}}]}")))
        .contains("set[:path]")
        .contains("set[x]")
        .contains("set[y]");
  }

  @Test
  void saysWhichFaultsItCannotInject() {
    TestMesh mesh =
        rules(
            """
            - fault: {delay: {exponentialDelay: 1s, percentage: {value: 1}}, abort: {http2Error: REFUSED, percentage: {value: 1}}}
              match: [{uri: {prefix: /a}}]
              route: [{destination: {host: cart}}]
            - fault: {delay: {fixedDelay: 1s}, abort: {httpStatus: 99, percentage: {value: 101}}}
              match: [{uri: {prefix: /b}}]
              route: [{destination: {host: cart}}]
            - fault: {abort: {grpcStatus: NONE, percentage: {value: 1}}}
              route: [{destination: {host: cart}}]
            """);

    assertThat(message(mesh))
        .contains("spec.http[0].fault.delay")
        .contains("spec.http[0].fault.abort")
        .contains("spec.http[1].fault.delay.percentage")
        .contains("spec.http[1].fault.abort.httpStatus")
        .contains("spec.http[2].fault.abort.grpcStatus");
  }

  @Test
  void mirrorsAsWritten() {
    TestMesh mesh =
        rules(
            """
            - mirror: {host: audit}
              mirrorPercentage: {value: 12.5}
              mirrors: [{destination: {host: audit}}, {destination: {host: audit}, percentage: {value: 0}}]
              route: [{destination: {host: cart}}]
            """);
    mesh.unbound("shop", "audit", TestMesh.http(80));

    assertThat(mesh.routes("cart", 80).getFirst().getRoute().getRequestMirrorPoliciesList())
        .extracting(mirror -> mirror.getRuntimeFraction().getDefaultValue().getNumerator())
        .containsExactly(125_000, 1_000_000);
    assertThat(mesh.requests("cart", 80).backends())
        .extracting(backend -> backend.service().name())
        .containsExactlyInAnyOrder("cart", "audit");
  }

  // --- Destinations

  @Test
  void findsDestinations() {
    TestMesh mesh =
        rules(
            """
                - match: [{uri: {prefix: /one}}]
                  route: [{destination: {host: one}}]
                - match: [{uri: {prefix: /two}}]
                  route: [{destination: {host: two.other.svc.cluster.local, port: {number: 81}}}]
                - match: [{uri: {prefix: /many}}]
                  route: [{destination: {host: many}}]
                - match: [{uri: {prefix: /tcp}}]
                  route: [{destination: {host: tcp}}]
                - route: [{destination: {host: cart}}]
                """);
    mesh.unbound("shop", "one", TestMesh.http(9000));
    mesh.unbound("other", "two", TestMesh.http(80), TestMesh.http(81));
    mesh.unbound("shop", "many", TestMesh.http(80), TestMesh.http(81));
    mesh.unbound("shop", "tcp", TestMesh.port(7000, PortProtocol.TCP));

    assertThat(mesh.routes("cart", 80))
        .extracting(route -> route.getRoute().getCluster())
        .containsExactly(
            "http|shop/one_shop_svc_cluster_local|9000",
            "http|other/two_other_svc_cluster_local|81",
            "http|shop/many_shop_svc_cluster_local|80",
            "http|shop/tcp_shop_svc_cluster_local|7000",
            "http|shop/cart_shop_svc_cluster_local|80");
    assertThat(accepted(mesh)).isTrue();
  }

  @Test
  void saysWhichDestinationsAreNotThere() {
    TestMesh mesh =
        rules(
            """
            - route:
              - {destination: {host: absent}, weight: 1}
              - {destination: {host: cart, port: {number: 99}}, weight: 1}
              - {destination: {host: cart, subset: v9}, weight: 1}
              - {weight: 1}
              - {destination: {host: cart}, weight: 1}
            """);

    assertThat(
            mesh.routes("cart", 80).getFirst().getRoute().getWeightedClusters().getClustersList())
        .extracting(share -> share.getName())
        .containsExactly(
            HttpRules.NOWHERE,
            HttpRules.NOWHERE,
            HttpRules.NOWHERE,
            HttpRules.NOWHERE,
            "http|shop/cart_shop_svc_cluster_local|80");
    assertThat(message(mesh))
        .contains("no service absent.shop.svc.cluster.local")
        .contains("no port 99")
        .contains("subset v9")
        .contains("spec.http[0].route[3].destination: names no host");
  }

  @Test
  void ignoresDestinationsWithoutWeight() {
    TestMesh mesh =
        rules(
            "- route: [{destination: {host: cart}, weight: 0}, {destination: {host: cart}, weight: 5}, {destination: {host: cart}}]");

    assertThat(
            mesh.routes("cart", 80).getFirst().getRoute().getWeightedClusters().getClustersCount())
        .isEqualTo(1);
  }

  @Test
  void hashesByTheRuleOfEachDestination() {
    TestMesh mesh =
        rules("- route: [{destination: {host: cart}}]")
            .destinationRule(
                "shop/cart",
                "host: cart\ntrafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}");
    Route route = mesh.routes("cart", 80).getFirst();

    assertThat(route.getRoute().getHashPolicy(0).getHeader().getHeaderName()).isEqualTo("x");
    // Another endpoint would be another hash's.
    assertThat(route.getRoute().getRetryPolicy().getRetryHostPredicateCount()).isZero();
  }

  // --- Which VirtualService

  @Test
  void stopsAtARuleForAllRequests() {
    assertThat(
            statuses(
                rules(
                    """
                    - {match: [{uri: {prefix: /a}}], directResponse: {status: 201}}
                    - {match: [{uri: {prefix: /}}, {uri: {exact: /b}}], directResponse: {status: 202}}
                    - {directResponse: {status: 203}}
                    """)))
        .containsExactly("201", "202");
  }

  @Test
  void asksTheOldestFirstAndSaysSo() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/old",
                "hosts: [cart]\nhttp: [{match: [{uri: {prefix: /a}}], directResponse: {status: 201}}]")
            .virtualService("shop/young", "hosts: [cart]\nhttp: [{directResponse: {status: 202}}]")
            .virtualService(
                "shop/youngest", "hosts: [cart]\nhttp: [{directResponse: {status: 203}}]");

    assertThat(statuses(mesh)).containsExactly("201", "202");
    assertThat(mesh.status("VirtualService", "shop/old").condition().holds()).isTrue();
    assertThat(mesh.status("VirtualService", "shop/young").condition().message())
        .contains("the older VirtualService shop/old");
    assertThat(mesh.status("VirtualService", "shop/youngest").condition().reason())
        .isEqualTo("Overridden");
  }

  @Test
  void prefersTheMoreSpecificHost() {
    TestMesh mesh =
        shop()
            .virtualService("shop/all", "hosts: [\"*\"]\nhttp: [{directResponse: {status: 201}}]")
            .virtualService(
                "shop/domain",
                "hosts: [\"*.svc.cluster.local\"]\nhttp: [{directResponse: {status: 202}}]");
    assertThat(statuses(mesh)).containsExactly("202");
    mesh.virtualService(
        "shop/cart",
        "hosts: [cart.shop.svc.cluster.local]\nhttp: [{directResponse: {status: 203}}]");
    assertThat(statuses(mesh)).containsExactly("203");
    assertThat(mesh.status("VirtualService", "shop/all").condition().reason())
        .isEqualTo("Overridden");
  }

  @Test
  void takesRulesOfTheServicesNamespaceAndTheWaypointsOnly() {
    TestMesh mesh = new TestMesh();
    MeshService cart = mesh.unbound("shop", "cart", TestMesh.http(80));
    mesh.bind(cart, "gateways", ServiceRoutes.NONE)
        .virtualService(
            "other/cart",
            "hosts: [cart.shop.svc.cluster.local]\nhttp: [{directResponse: {status: 201}}]")
        .virtualService(
            "gateways/cart",
            "hosts: [cart.shop.svc.cluster.local]\nhttp: [{directResponse: {status: 202}}]")
        .virtualService(
            "shop/cart",
            "exportTo: [\".\"]\nhosts: [cart]\nhttp: [{directResponse: {status: 203}}]");

    assertThat(statuses(mesh)).containsExactly("202");
    assertThat(mesh.status("VirtualService", "other/cart").condition().reason())
        .isEqualTo("NotPermitted");
    assertThat(message(mesh)).contains("spec.exportTo");
  }

  @Test
  void givesWayToRoutesOfTheGatewayApi() {
    TestMesh mesh = new TestMesh();
    MeshService cart = mesh.unbound("shop", "cart", TestMesh.http(80), TestMesh.http(81));
    mesh.bind(
            cart,
            "shop",
            new ServiceRoutes(Map.of(80, PassThrough.requests(cart, TestMesh.http(80))), Map.of()))
        .virtualService("shop/cart", "hosts: [cart]\nhttp: [{directResponse: {status: 201}}]");

    assertThat(mesh.routes("cart", 80).getFirst().hasRoute()).isTrue();
    assertThat(mesh.routes("cart", 81).getFirst().getDirectResponse().getStatus()).isEqualTo(201);
    assertThat(accepted(mesh)).isFalse();
    assertThat(message(mesh)).contains("routes of the Gateway API are attached to port 80");
    // What they do not say holds all the same.
    assertThat(mesh.routes("cart", 80).getFirst().getRoute().hasRetryPolicy()).isTrue();
  }

  @Test
  void hasNothingToSayOfWhatIsForGateways() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/edge",
                "hosts: [cart]\ngateways: [edge]\nhttp: [{directResponse: {status: 201}}]");

    assertThat(mesh.hasStatus("VirtualService", "shop/edge")).isFalse();
    assertThat(mesh.routes("cart", 80).getFirst().hasRoute()).isTrue();
  }

  @Test
  void saysWhereNobodyEnforcesIt() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/unbound", "hosts: [stock]\nhttp: [{directResponse: {status: 201}}]")
            .virtualService(
                "shop/absent", "hosts: [absent]\nhttp: [{directResponse: {status: 201}}]")
            .virtualService(
                "shop/tcp", "hosts: [cart]\ntcp: [{route: [{destination: {host: cart}}]}]")
            .virtualService(
                "shop/cart", "hosts: [cart, stock]\nhttp: [{directResponse: {status: 201}}]");
    mesh.unbound("shop", "stock", TestMesh.http(80));

    assertThat(mesh.status("VirtualService", "shop/unbound").condition().reason())
        .isEqualTo("AncestorNotBound");
    assertThat(mesh.status("VirtualService", "shop/absent").condition().reason())
        .isEqualTo("TargetNotFound");
    assertThat(mesh.status("VirtualService", "shop/tcp").condition().message())
        .contains("no rule applies to a port of cart");
    assertThat(message(mesh))
        .contains("enforce this for cart.shop.svc.cluster.local")
        .contains("spec.hosts[1]: stock.shop.svc.cluster.local has no waypoint");
    assertThat(mesh.status("VirtualService", "shop/cart").condition().generation()).hasValue(7);
  }

  @Test
  void hasRulesForSomeNamesOfAServiceWithMany() {
    TestMesh mesh = new TestMesh();
    MeshService all =
        mesh.host(MeshService.Kind.SERVICE_ENTRY, "shop", "*.example.com", TestMesh.http(80));
    mesh.bind(all, "shop", ServiceRoutes.NONE)
        .virtualService(
            "shop/a", "hosts: [a.example.com]\nhttp: [{directResponse: {status: 201}}]");

    List<VirtualHost> hosts = mesh.requests("*.example", 80).virtualHosts();
    assertThat(hosts.getFirst().getDomainsList())
        .containsExactly("a.example.com", "a.example.com:80");
    assertThat(hosts.getFirst().getRoutes(0).getDirectResponse().getStatus()).isEqualTo(201);
    assertThat(hosts.getLast().getDomainsList()).containsExactly("*");
    assertThat(hosts.getLast().getRoutes(0).hasRoute()).isTrue();
    assertThat(mesh.status("VirtualService", "shop/a").condition().holds()).isTrue();
  }

  // --- Delegates

  @Test
  void delegates() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - name: root
                  match: [{uri: {prefix: /a}, headers: {x-root: {}}}]
                  timeout: 3s
                  retries: {attempts: 7}
                  delegate: {name: inner, namespace: team}
                - directResponse: {status: 404}
                """)
            .virtualService(
                "team/inner",
                """
                http:
                - name: first
                  match: [{uri: {exact: /a/b}, headers: {x-own: {exact: "1"}}}]
                  retries: {attempts: 1}
                  route: [{destination: {host: backend}}]
                - match: [{uri: {prefix: /other}}]
                  directResponse: {status: 201}
                - directResponse: {status: 202}
                """);
    mesh.unbound("team", "backend", TestMesh.http(80));
    List<Route> routes = mesh.routes("cart", 80);

    assertThat(routes).hasSize(3);
    Route first = routes.getFirst();
    assertThat(first.getName()).isEqualTo("root-first");
    assertThat(first.getMatch().getPath()).isEqualTo("/a/b");
    assertThat(first.getMatch().getHeadersList())
        .extracting(header -> header.getName())
        .containsExactly("x-own", "x-root");
    assertThat(first.getRoute().getCluster()).startsWith("http|team/backend");
    assertThat(first.getRoute().getTimeout().getSeconds()).isEqualTo(3);
    assertThat(first.getRoute().getRetryPolicy().getNumRetries().getValue()).isEqualTo(1);
    assertThat(routes.get(1).getDirectResponse().getStatus()).isEqualTo(202);
    assertThat(routes.get(1).getMatch().getPrefix()).isEqualTo("/a");
    assertThat(routes.get(2).getDirectResponse().getStatus()).isEqualTo(404);
    assertThat(accepted(mesh)).isTrue();
    assertThat(mesh.status("VirtualService", "team/inner").condition().message())
        .contains("spec.http[1].match: is not narrower")
        .doesNotContain("spec.http[0]");
  }

  @Test
  void saysWhichDelegatesItCannotUse() {
    TestMesh mesh =
        shop()
            .virtualService(
                "shop/cart",
                """
                hosts: [cart]
                http:
                - delegate: {name: absent}
                - delegate: {name: private, namespace: team}
                - directResponse: {status: 200}
                """)
            .virtualService(
                "team/private", "exportTo: [\".\"]\nhttp: [{directResponse: {status: 201}}]")
            .virtualService("team/idle", "http: [{directResponse: {status: 201}}]");

    assertThat(statuses(mesh)).containsExactly("200");
    assertThat(message(mesh))
        .contains("spec.http[0].delegate: there is no VirtualService shop/absent")
        .contains("spec.http[1].delegate: VirtualService team/private is not exported");
    assertThat(mesh.status("VirtualService", "team/idle").condition().message())
        .contains("no VirtualService delegates to it");
  }

  // --- Connections

  private static TestMesh database() {
    return new TestMesh()
        .service(
            "shop",
            "db",
            TestMesh.port(5432, PortProtocol.TCP),
            TestMesh.port(443, PortProtocol.TLS),
            TestMesh.port(9000, PortProtocol.DETECTED));
  }

  private static List<ConnectionRoute> connections(TestMesh mesh, int port) {
    ConnectionRoutes routes = mesh.traffic().routes(mesh.get("db"), "shop").connections().get(port);
    return routes == null ? List.of() : routes.routes();
  }

  @Test
  void routesConnections() {
    TestMesh mesh =
        database()
            .virtualService(
                "shop/db",
                """
                hosts: [db]
                tcp:
                - match: [{port: 5432, sourceNamespace: reports}]
                  route: [{destination: {host: replica}}]
                - match: [{port: 9000}]
                  route: [{destination: {host: replica}, weight: 3}, {destination: {host: db}, weight: 1}]
                """);
    mesh.unbound("shop", "replica", TestMesh.port(5432, PortProtocol.TCP));

    List<ConnectionRoute> routes = connections(mesh, 5432);
    assertThat(routes).hasSize(2);
    assertThat(routes.getFirst().clientNamespace()).contains("reports");
    assertThat(routes.getFirst().shares().getFirst().backend())
        .map(backend -> backend.service().name())
        .contains("replica");
    assertThat(routes.getLast().clientNamespace()).isEmpty();
    assertThat(routes.getLast().shares().getFirst().backend())
        .contains(Backend.ofConnections(mesh.get("db"), TestMesh.port(5432, PortProtocol.TCP)));
    assertThat(connections(mesh, 9000)).hasSize(1);
    assertThat(connections(mesh, 9000).getFirst().shares())
        .extracting(share -> share.weight())
        .containsExactly(3, 1);
    // Nothing applies to it, so it is left to itself.
    assertThat(connections(mesh, 443)).isEmpty();
    // What turns out to be HTTP goes its own way.
    assertThat(mesh.traffic().routes(mesh.get("db"), "shop").http()).containsOnlyKeys(9000);
    assertThat(mesh.status("VirtualService", "shop/db").condition().holds()).isTrue();
  }

  @Test
  void routesByTheNameInTheGreeting() {
    TestMesh mesh =
        database()
            .virtualService(
                "shop/db",
                """
                hosts: [db]
                tcp: [{route: [{destination: {host: db}}]}]
                tls:
                - match: [{port: 443, sniHosts: [a.example, "*.b.example"]}]
                  route: [{destination: {host: replica}}]
                """);
    mesh.unbound("shop", "replica", TestMesh.port(443, PortProtocol.TLS));

    List<ConnectionRoute> routes = connections(mesh, 443);
    assertThat(routes.getFirst().serverNames()).containsExactly("a.example", "*.b.example");
    assertThat(routes).hasSize(2);
    assertThat(connections(mesh, 5432)).hasSize(1);
  }

  @Test
  void saysWhichConnectionsItCannotTell() {
    TestMesh mesh =
        database()
            .virtualService(
                "shop/db",
                """
                hosts: [db]
                tcp:
                - match: [{sourceLabels: {a: b}}, {sourceSubnet: 10.0.0.0/8}, {destinationSubnets: [10.0.0.0/8]}]
                  route: [{destination: {host: db}}]
                - route: [{destination: {host: db}, weight: 0}, {destination: {host: db}, weight: 0}]
                """);

    assertThat(connections(mesh, 5432)).hasSize(1);
    assertThat(mesh.status("VirtualService", "shop/db").condition().message())
        .contains("match[0].sourceLabels")
        .contains("match[1].sourceSubnet")
        .contains("match[2].destinationSubnets")
        .contains("no destination has a weight");
  }

  // --- Order

  @Provide
  Arbitrary<List<String>> prefixes() {
    return Arbitraries.of("/a", "/a/b", "/b", "/", "/a/c").list().ofMinSize(1).ofMaxSize(6);
  }

  @Property(tries = 60)
  void theFirstRuleThatFitsTakesARequest(
      @ForAll("prefixes") List<String> prefixes, @ForAll("prefixes") List<String> paths) {
    StringBuilder rules = new StringBuilder();
    for (int i = 0; i < prefixes.size(); i++) {
      rules
          .append("- {match: [{uri: {prefix: ")
          .append(prefixes.get(i))
          .append("}}], directResponse: {status: ")
          .append(201 + i)
          .append("}}\n");
    }
    List<Route> routes = rules(rules.toString()).routes("cart", 80);

    for (String path : paths) {
      Optional<Integer> expected =
          java.util.stream.IntStream.range(0, prefixes.size())
              .filter(i -> path.startsWith(prefixes.get(i)))
              .mapToObj(i -> 201 + i)
              .findFirst();
      Optional<Integer> actual =
          routes.stream()
              .filter(route -> path.startsWith(route.getMatch().getPrefix()))
              .map(route -> route.getDirectResponse().getStatus())
              .findFirst();
      assertThat(actual).isEqualTo(expected);
    }
  }
}
