package dev.ambit.operator.waypoint.route.model;

import static dev.ambit.operator.waypoint.route.model.RouteMesh.http;
import static dev.ambit.operator.waypoint.route.model.RouteMesh.port;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.PortProtocol;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said of routes on their status. */
class RouteStatusTest {
  private final RouteMesh mesh =
      new RouteMesh()
          .service("web", http(80), port(9000, PortProtocol.TCP))
          .service("v1", http(80))
          .service("secure", port(443, PortProtocol.TLS))
          .service("other", "far", http(80));

  private void assertCondition(String type, boolean holds, String reason, String... message) {
    ObjectCondition condition = mesh.condition(type);
    assertThat(condition.reason()).as(condition.message()).isEqualTo(reason);
    assertThat(condition.holds()).isEqualTo(holds);
    List.of(message).forEach(part -> assertThat(condition.message()).contains(part));
  }

  private List<String> types() {
    return mesh.status("route").conditions().stream().map(ObjectCondition::type).toList();
  }

  // --- All is well

  @Test
  void saysThatAWaypointEnforcesARoute() {
    mesh.httpRoute("- backendRefs: [{name: v1, port: 80}]");
    RouteStatus status = mesh.status("route");
    assertThat(status.route()).hasToString("HTTPRoute shop/route");
    assertThat(status.generation()).isEqualTo(3);
    assertThat(status.parent().getName()).isEqualTo("web");
    assertThat(types())
        .containsExactly("Accepted", "ResolvedRefs", "ResolvedWaypoints", "ambit.dev/Enforced");
    assertCondition("Accepted", true, "Accepted", "port 80");
    assertCondition("ResolvedRefs", true, "ResolvedRefs");
    assertCondition("ResolvedWaypoints", true, "ResolvedWaypoints", "shop/waypoint");
    assertCondition("ambit.dev/Enforced", true, "Enforced", "all clients");
  }

  @Test
  void saysWhoseClientsAConsumerRouteIsFor() {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: route, namespace: test}
        spec:
          parentRefs: [{group: "", kind: Service, name: web, namespace: shop}]
          hostnames: [web.example]
          rules: [{backendRefs: [{name: web, namespace: shop, port: 80}]}]
        """);
    assertCondition("Accepted", true, "Accepted", "spec.hostnames");
    assertCondition("ResolvedRefs", true, "ResolvedRefs");
    assertCondition("ambit.dev/Enforced", true, "Enforced", "namespace test");
  }

  // --- Parents

  @Test
  void saysThatNobodyEnforcesARouteWithoutAWaypoint() {
    mesh.bind("shop", "web", new ServiceBinding.Unbound("label the service with what it uses"))
        .httpRoute("- backendRefs: [{name: v1, port: 80}]");
    assertCondition("Accepted", true, "Accepted");
    assertCondition("ResolvedWaypoints", false, "NoWaypoint", "label the service");
    assertCondition("ambit.dev/Enforced", false, "NoWaypoint", "nobody", "label the service");
    assertThat(mesh.web(80)).isEmpty();
  }

  @Test
  void saysNothingWhereAnotherControllersWaypointServes() {
    mesh.bind("shop", "web", new ServiceBinding.Foreign())
        .httpRoute("- backendRefs: [{name: v1, port: 80}]");
    assertThat(mesh.routing().statuses()).isEmpty();
    assertThat(mesh.routing().services()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "group: '', kind: Service, name: gone                          | no Service shop/gone",
        "group: '', kind: Service, name: web, port: 81                 | no port",
        "group: '', kind: Service, name: web, sectionName: metrics     | no port",
        "group: '', kind: Service, name: web, port: 9000               | 9000 (tcp)",
        "group: networking.istio.io, kind: ServiceEntry, name: outside | no ServiceEntry shop/outside",
      })
  void refusesParentsThatAreNotThere(String reference, String message) {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: route, namespace: shop}
        spec:
          parentRefs: [{%s}]
          rules: [{backendRefs: [{name: missing, port: 80}]}]
        """
            .formatted(reference));
    assertCondition("Accepted", false, "NoMatchingParent", message);
    assertCondition("ResolvedRefs", false, "BackendNotFound");
    assertCondition("ambit.dev/Enforced", false, "NotAccepted");
    assertThat(mesh.routing().services()).isEmpty();
  }

  @Test
  void leavesParentsToOthersThatAreTheirs() {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: route, namespace: shop}
        spec:
          parentRefs:
          - {name: ingress}
          - {group: example.org, kind: Thing, name: thing}
          rules: [{backendRefs: [{name: v1, port: 80}]}]
        """);
    assertThat(mesh.routing().statuses()).isEmpty();
  }

  @Test
  void reportsEachParentByItself() {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: route, namespace: shop}
        spec:
          parentRefs:
          - {group: "", kind: Service, name: web}
          - {group: "", kind: Service, name: gone}
          rules: [{backendRefs: [{name: v1, port: 80}]}]
        """);
    assertThat(mesh.routing().statuses())
        .extracting(
            status -> status.parent().getName(), status -> status.conditions().getFirst().holds())
        .containsExactly(tuple("web", true), tuple("gone", false));
  }

  // --- Waypoints as parents

  private void atWaypoint(String namespace, String reference, String hostnames) {
    mesh.waypoint(
            "shop",
            "waypoint",
            new ParentWaypoint(
                List.of(
                    new ParentWaypoint.Listener(
                        "mesh", 15008, Set.of("HTTPRoute"), "shop"::equals)),
                List.of(mesh.service("web"), mesh.service("v1"))))
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: route, namespace: %s}
            spec:
              parentRefs: [{%s}]
              hostnames: [%s]
              rules: [{backendRefs: [{name: v1, namespace: shop, port: 80}]}]
            """
                .formatted(namespace, reference, hostnames));
  }

  @Test
  void attachesToAllServicesOfAWaypoint() {
    atWaypoint("shop", "name: waypoint", "");
    assertCondition("Accepted", true, "Accepted", "Gateway shop/waypoint at port 80");
    assertThat(mesh.routing().services())
        .containsOnlyKeys("shop/web.shop.svc.cluster.local", "shop/v1.shop.svc.cluster.local");
  }

  @Test
  void attachesToTheServicesOfAWaypointThatHostnamesName() {
    atWaypoint("shop", "name: waypoint, port: 15008", "'*.example', web.shop.svc.cluster.local");
    assertThat(mesh.routing().services()).containsOnlyKeys("shop/web.shop.svc.cluster.local");
  }

  @Test
  void refusesAtAWaypoint() {
    atWaypoint("shop", "name: waypoint", "other.example");
    assertCondition("Accepted", false, "NoMatchingListenerHostname");
  }

  @Test
  void refusesNamespacesThatAWaypointDoesNotTake() {
    atWaypoint("test", "name: waypoint, namespace: shop", "");
    assertCondition("Accepted", false, "NotAllowedByListeners", "namespace test");
    assertCondition("ResolvedRefs", false, "RefNotPermitted");
  }

  @Test
  void refusesListenersThatAWaypointDoesNotHave() {
    atWaypoint("shop", "name: waypoint, sectionName: http", "");
    assertCondition("Accepted", false, "NoMatchingParent", "no listener");
  }

  // --- Conflicts

  @Test
  void givesAPortToGrpcBeforeHttp() {
    mesh.httpRoute("http", "- backendRefs: [{name: v1, port: 80}]")
        .grpcRoute("- backendRefs: [{name: v1, port: 80}]");
    assertThat(mesh.condition("route", "Accepted").holds()).isTrue();
    ObjectCondition accepted = mesh.condition("http", "Accepted");
    assertThat(accepted.holds()).isFalse();
    assertThat(accepted.reason()).isEqualTo("Conflicted");
    assertThat(mesh.condition("http", "ambit.dev/Enforced").holds()).isFalse();
  }

  @Test
  void saysWhichPortsOthersHave() {
    mesh.service("two", http(80), http(81))
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: route, namespace: shop}
            spec:
              parentRefs: [{group: "", kind: Service, name: two}]
              rules: [{backendRefs: [{name: v1, port: 80}]}]
            """)
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GRPCRoute
            metadata: {name: grpc, namespace: shop}
            spec:
              parentRefs: [{group: "", kind: Service, name: two, port: 81}]
              rules: [{backendRefs: [{name: v1, port: 80}]}]
            """);
    assertCondition("Accepted", true, "Accepted", "at port 80; other routes have port 81");
  }

  // --- References

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{name: gone, port: 80}                               | BackendNotFound     | no Service shop/gone",
        "{name: v1, port: 81}                                 | BackendNotFound     | no port 81",
        "{name: v1}                                           | BackendNotFound     | a port",
        "{name: far, namespace: other, port: 80}              | RefNotPermitted     | no ReferenceGrant in namespace other",
        "{name: gone, namespace: other, port: 80}             | RefNotPermitted     | no ReferenceGrant in namespace other",
        "{kind: Deployment, group: apps, name: v1, port: 80}  | InvalidKind         | Deployment.apps",
        "{kind: ServiceImport, group: multicluster.x-k8s.io, name: v1, port: 80} | InvalidKind | ServiceImport",
        "{name: secure, port: 443}                            | UnsupportedProtocol | TLS",
      })
  void saysWhatABackendLacks(String backend, String reason, String message) {
    mesh.httpRoute("- backendRefs: [" + backend + "]");
    assertCondition("Accepted", true, "Accepted");
    assertCondition("ResolvedRefs", false, reason, "spec.rules[0].backendRefs[0]", message);
    assertCondition("ambit.dev/Enforced", true, "Enforced");
    assertThat(mesh.web(80).orElseThrow().backends()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop} | {group: '', kind: Service}              | true",
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop} | {group: '', kind: Service, name: far}   | true",
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop} | {group: '', kind: Service, name: other} | false",
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: test} | {group: '', kind: Service}              | false",
        "{group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop} | {group: '', kind: Service}              | false",
        "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop} | {group: '', kind: Secret}               | false",
      })
  void goesByGrants(String from, String to, boolean permitted) {
    mesh.httpRoute("- backendRefs: [{name: far, namespace: other, port: 80}]")
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1beta1
            kind: ReferenceGrant
            metadata: {name: grant, namespace: other}
            spec: {from: [%s], to: [%s]}
            """
                .formatted(from, to));
    assertThat(mesh.condition("ResolvedRefs").holds()).isEqualTo(permitted);
  }

  @Test
  void takesHostnamesAndServiceEntriesForBackends() {
    mesh.entry("shop", "outside", "api.example", http(80))
        .httpRoute(
            """
            - backendRefs:
              - {group: networking.istio.io, kind: Hostname, name: api.example, port: 80}
              - {group: networking.istio.io, kind: ServiceEntry, name: outside, port: 80}
              - {group: networking.istio.io, kind: Hostname, name: far.other.svc.cluster.local, port: 80}
            """);
    assertCondition("ResolvedRefs", false, "RefNotPermitted", "backendRefs[2]");
    assertThat(mesh.web(80).orElseThrow().backends())
        .extracting(backend -> backend.service().hostname())
        .containsExactly("api.example");
  }

  @Test
  void aConsumerRouteMayLeadToItsParentAndItsOwnNamespaceAlone() {
    mesh.service("test", "mine", http(80))
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: route, namespace: test}
            spec:
              parentRefs: [{group: "", kind: Service, name: web, namespace: shop}]
              rules:
              - backendRefs:
                - {name: web, namespace: shop, port: 80}
                - {name: mine, port: 80}
                - {name: v1, namespace: shop, port: 80}
            """);
    assertCondition("ResolvedRefs", false, "RefNotPermitted", "backendRefs[2]", "Service shop/v1");
    assertThat(mesh.condition("ResolvedRefs").message()).doesNotContain("backendRefs[1]");
  }

  // --- What is not as it should be

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "matches: [{path: {type: RegularExpression, value: '('}}]           | matches[0].path.value",
        "matches: [{path: {type: RegularExpression, value: '(?=a)'}}]       | regular expression",
        "matches: [{path: {type: Glob, value: /a}}]                         | matches[0].path.type",
        "matches: [{path: {value: a}}]                                      | not a path",
        "matches: [{path: {value: /a//b}}]                                  | not a path",
        "matches: [{path: {value: /a/../b}}]                                | not a path",
        "matches: [{path: {type: Exact, value: '/a#b'}}]                    | not a path",
        "matches: [{headers: [{name: a, type: RegularExpression, value: '['}]}]     | matches[0].headers[0].value",
        "matches: [{headers: [{name: 'a b', value: c}]}]                    | matches[0].headers[0].name",
        "matches: [{headers: [{name: ':method', value: c}]}]                | matches[0].headers[0].name",
        "matches: [{queryParams: [{name: a, type: RegularExpression, value: '['}]}] | matches[0].queryParams[0].value",
        "matches: [{queryParams: [{name: '', value: c}]}]                   | matches[0].queryParams[0].name",
        "matches: [{method: BREW}]                                          | matches[0].method",
        "matches: [{cookies: [{name: a}]}]                                  | matches[0].cookies",
        "matches: [{headers: [{name: a, value: b, invert: true}]}]          | headers.invert",
        "timeouts: {request: 5}                                             | timeouts.request",
        "timeouts: {request: 1.5s}                                          | timeouts.request",
        "timeouts: {request: 1s, backendRequest: 2s}                        | timeouts.backendRequest",
        "retry: {attempts: 0}                                               | retry.attempts",
        "retry: {codes: [200]}                                              | retry.codes[0]",
        "retry: {backoff: 1d}                                               | retry.backoff",
        "sessionPersistence: {type: Header}                                 | sessionPersistence.sessionName",
        "sessionPersistence: {type: Address}                                | sessionPersistence.type",
        "sessionPersistence: {sessionName: 'a b'}                           | sessionPersistence.sessionName",
        "sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}      | sessionPersistence.absoluteTimeout",
        "sessionPersistence: {absoluteTimeout: soon}                        | sessionPersistence.absoluteTimeout",
        "filters: [{type: Unknown}]                                         | filters[0].type",
        "filters: [{type: ExternalAuth}]                                    | filters[0].type",
        "filters: [{type: RequestHeaderModifier}]                           | filters[0].requestHeaderModifier",
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: 'a b', value: c}]}}]  | set[0].name",
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [':path']}}]               | remove[0]",
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [host]}}]                  | remove[0]",
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: Host, value: a}]}}]   | one host",
        "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}], remove: [A]}}] | another action",
        "filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: a, value: b}], add: [{name: a, value: b}]}}] | another action",
        "filters: [{type: RequestRedirect, requestRedirect: {statusCode: 304}}]                             | statusCode",
        "filters: [{type: RequestRedirect, requestRedirect: {scheme: ftp}}]                                 | scheme",
        "filters: [{type: RequestRedirect, requestRedirect: {port: 70000}}]                                 | port",
        "filters: [{type: RequestRedirect, requestRedirect: {hostname: 'a b'}}]                             | hostname",
        "filters: [{type: RequestRedirect, requestRedirect: {path: {type: Other}}}]                         | path.type",
        "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: 'a b'}}}] | urlRewrite.path",
        "filters: [{type: CORS, cors: {allowOrigins: [app.example]}}]                                       | allowOrigins[0]",
        "filters: [{type: CORS, cors: {allowOrigins: ['*'], allowHeaders: ['*'], allowCredentials: true}}]  | allowHeaders",
        "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v1, port: 80}, percent: 101}}]  | percent",
        "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v1, port: 80}, fraction: {numerator: 3, denominator: 2}}}] | fraction",
        "backendRefs: [{name: v1, port: 80, weight: -1}]                                                    | weight",
      })
  void refusesWhatItCannotDo(String rule, String message) {
    String whole =
        rule.contains("backendRefs") || rule.contains("Redirect")
            ? "{%s}"
            : "{%s, backendRefs: [{name: v1, port: 80}]}";
    mesh.httpRoute("- " + whole.formatted(rule));
    assertCondition("Accepted", false, "UnsupportedValue", message);
    assertCondition("ambit.dev/Enforced", false, "NotAccepted");
    assertThat(types()).doesNotContain("PartiallyInvalid");
  }

  @Test
  void refusesReplacedPrefixesOfOtherMatches() {
    mesh.httpRoute(
        """
        - matches: [{path: {type: Exact, value: /a}}]
          filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]
          backendRefs: [{name: v1, port: 80}]
        """);
    assertCondition("Accepted", false, "UnsupportedValue", "ReplacePrefixMatch");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {}}]",
        "filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: v1, port: 80}]",
        "filters: [{type: URLRewrite, urlRewrite: {}}, {type: URLRewrite, urlRewrite: {}}]",
        "filters: [{type: URLRewrite, urlRewrite: {}}], backendRefs: [{name: v1, port: 80, filters: [{type: URLRewrite, urlRewrite: {}}]}]",
        "backendRefs: [{name: v1, port: 80}, {name: web, port: 80, filters: [{type: RequestRedirect, requestRedirect: {}}]}]",
        "backendRefs: [{name: v1, port: 80}, {name: web, port: 80, filters: [{type: RequestMirror, requestMirror: {backendRef: {name: v1, port: 80}}}]}]",
      })
  void refusesFiltersThatExcludeEachOther(String rule) {
    mesh.httpRoute("- {" + rule + "}");
    assertCondition("Accepted", false, "IncompatibleFilters");
  }

  @Test
  void dropsARuleAndKeepsTheOthers() {
    mesh.httpRoute(
        """
        - name: broken
          matches: [{path: {type: RegularExpression, value: "("}}, {path: {value: /b}}]
          backendRefs: [{name: v1, port: 80}]
        - backendRefs: [{name: v1, port: 80}]
        """);
    assertCondition("Accepted", true, "Accepted");
    assertCondition(
        "PartiallyInvalid", true, "UnsupportedValue", "Dropped Rule spec.rules[0] (broken)");
    assertThat(mesh.web(80).orElseThrow().virtualHosts().getFirst().getRoutesList())
        .extracting(route -> route.getMatch().getPathSeparatedPrefix(), route -> route.hasRoute())
        .containsExactly(tuple("/b", false), tuple("", true));
  }

  @Test
  void doesNotPassOverFiltersOfOthers() {
    mesh.httpRoute(
        """
        - filters: [{type: ExtensionRef, extensionRef: {group: example.org, kind: Limit, name: a}}]
          backendRefs: [{name: v1, port: 80}]
        """);
    assertCondition("Accepted", true, "Accepted");
    assertCondition("ResolvedRefs", false, "InvalidKind", "Limit.example.org a");
    assertThat(mesh.web(80).orElseThrow().virtualHosts().getFirst().getRoutes(0))
        .satisfies(route -> assertThat(route.getDirectResponse().getStatus()).isEqualTo(500));
  }

  @Test
  void aRouteOfWhichNothingFitsChangesNothing() {
    mesh.httpRoute("- matches: [{path: {type: RegularExpression, value: '('}}]");
    assertThat(mesh.web(80)).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "colour: red                                                          | spec.rules[0].colour",
        "timeouts: {idle: 1s}                                                 | timeouts.idle",
        "retry: {budget: 1}                                                   | retry.budget",
        "sessionPersistence: {idleTimeout: 1s}                                | idleTimeout",
        "sessionPersistence: {absoluteTimeout: 1s}                            | absoluteTimeout",
        "sessionPersistence: {type: Header, sessionName: a, absoluteTimeout: 1s} | absoluteTimeout",
        "filters: [{type: URLRewrite, urlRewrite: {scheme: a}}]               | urlRewrite.scheme",
        "filters: [{type: CORS, cors: {vary: a}}]                             | cors.vary",
        "backendRefs: [{name: v1, port: 80, zone: a}]                         | backendRefs[0].zone",
        "sessionPersistence: {}, backendRefs: [{name: v1, port: 80}, {name: web, port: 80}] | by weight alone",
      })
  void saysWhatItDoesNotEnforce(String rule, String message) {
    mesh.httpRoute(
        "- {"
            + rule
            + (rule.contains("backendRefs") ? "" : ", backendRefs: [{name: v1, port: 80}]")
            + "}");
    assertCondition("Accepted", true, "Accepted");
    assertCondition("ambit.dev/Enforced", false, "PartlyEnforced", message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{type: RegularExpression, service: 'a)(b', method: c} | method.service",
        "{type: Exact, service: a/b}                           | method.service",
        "{type: Exact, method: a-b}                            | method.method",
        "{type: Prefix, method: a}                             | method.type",
      })
  void refusesGrpcMethods(String method, String message) {
    mesh.grpcRoute(
        "- {matches: [{method: %s}], backendRefs: [{name: v1, port: 80}]}".formatted(method));
    assertCondition("Accepted", false, "UnsupportedValue", message);
  }
}
