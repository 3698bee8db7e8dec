package dev.ambit.operator.waypoint.route.model;

import static dev.ambit.operator.waypoint.route.model.RouteMesh.http;
import static dev.ambit.operator.waypoint.route.model.RouteMesh.port;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.route.v3.Route;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Where routes of all kinds are attached, and in what order they are asked. */
class GatewayRoutesTest {
  private final RouteMesh mesh =
      new RouteMesh()
          .service(
              "web",
              http(80),
              http(8080),
              port(443, PortProtocol.TLS),
              port(9000, PortProtocol.TCP),
              port(7000, PortProtocol.DETECTED))
          .service("v1", http(80), port(9000, PortProtocol.TCP), port(443, PortProtocol.TLS))
          .service("v2", http(80), port(9000, PortProtocol.TCP));

  private static final String ONE = "rules: [{backendRefs: [{name: v1, port: %d}]}]";

  private void route(
      String kind, String name, String namespace, String created, String parent, String rest) {
    String version =
        kind.startsWith("T") ? (kind.equals("TLSRoute") ? "v1alpha3" : "v1alpha2") : "v1";
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/%s
        kind: %s
        metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
        spec:
          parentRefs: [{group: "", kind: Service, namespace: shop, name: web%s}]
        %s
        """
            .formatted(version, kind, name, namespace, created, parent, rest.indent(2)));
  }

  private List<String> names(int port) {
    return mesh.web(port).stream()
        .flatMap(routes -> routes.virtualHosts().getFirst().getRoutesList().stream())
        .map(Route::getName)
        .toList();
  }

  // --- Ports

  @Test
  void attachesToAllPortsOfRequests() {
    route("HTTPRoute", "a", "shop", "", "", ONE.formatted(80));
    ServiceRoutes routes =
        mesh.routing().services().getOrDefault(mesh.service("web").key(), ServiceRoutes.NONE);
    assertThat(routes.http()).containsOnlyKeys(80, 8080, 7000);
    assertThat(routes.connections()).isEmpty();
  }

  @Test
  void attachesToThePortThatIsNamed() {
    route("HTTPRoute", "a", "shop", "", ", port: 8080", ONE.formatted(80));
    route("HTTPRoute", "b", "shop", "", ", sectionName: http-80", ONE.formatted(80));
    assertThat(names(80)).containsExactly("HTTPRoute/shop/b/0");
    assertThat(names(8080)).containsExactly("HTTPRoute/shop/a/0");
    assertThat(names(7000)).isEmpty();
  }

  @Test
  void aPortThatDeclaresNothingPassesOnRequestsBeforeConnections() {
    route("TCPRoute", "tcp", "test", "", ", port: 7000", ONE.formatted(9000));
    assertThat(mesh.webConnections(7000)).isPresent();
    route("HTTPRoute", "http", "shop", "", ", port: 7000", ONE.formatted(80));
    assertThat(mesh.webConnections(7000)).isEmpty();
    assertThat(names(7000)).containsExactly("HTTPRoute/shop/http/0");
    assertThat(mesh.condition("tcp", "Accepted").reason()).isEqualTo("Conflicted");
  }

  // --- Order

  @Test
  void asksByAgeAndThenByNameWhereAllElseIsEqual() {
    route("HTTPRoute", "young", "shop", "2026-01-02T00:00:00Z", ", port: 80", ONE.formatted(80));
    route("HTTPRoute", "old", "shop", "2026-01-01T00:00:00Z", ", port: 80", ONE.formatted(80));
    route(
        "HTTPRoute", "also-young", "shop", "2026-01-02T00:00:00Z", ", port: 80", ONE.formatted(80));
    assertThat(names(80))
        .containsExactly(
            "HTTPRoute/shop/old/0", "HTTPRoute/shop/also-young/0", "HTTPRoute/shop/young/0");
  }

  @Test
  void asksTheCloserMatchOfAYoungerRouteFirst() {
    route("HTTPRoute", "old", "shop", "2026-01-01T00:00:00Z", ", port: 80", ONE.formatted(80));
    route(
        "HTTPRoute",
        "young",
        "shop",
        "2026-01-02T00:00:00Z",
        ", port: 80",
        "rules: [{name: mine, matches: [{path: {value: /a}}], backendRefs: [{name: v1, port: 80}]}]");
    assertThat(names(80)).containsExactly("HTTPRoute/shop/young/mine", "HTTPRoute/shop/old/0");
  }

  @Test
  void grpcGoesByServiceThenMethodThenHeaders() {
    mesh.grpcRoute(
        """
        - {name: any, backendRefs: [{name: v1, port: 80}]}
        - {name: header, matches: [{headers: [{name: a, value: b}]}], backendRefs: [{name: v1, port: 80}]}
        - {name: method, matches: [{method: {method: LongMethod}}], backendRefs: [{name: v1, port: 80}]}
        - {name: service, matches: [{method: {service: s.One}}], backendRefs: [{name: v1, port: 80}]}
        - {name: both, matches: [{method: {service: s.One, method: Do}}], backendRefs: [{name: v1, port: 80}]}
        - {name: regex, matches: [{method: {type: RegularExpression, service: "s[.]One|s[.]Two"}}], backendRefs: [{name: v1, port: 80}]}
        """);
    assertThat(names(80).stream().map(name -> name.substring("GRPCRoute/shop/route/".length())))
        .containsExactly("both", "service", "method", "regex", "header", "any");
  }

  // --- Audiences

  @Test
  void asksConsumersOwnRoutesFirstAndNoOthers() {
    route("HTTPRoute", "producer", "shop", "", ", port: 80", ONE.formatted(80));
    route(
        "HTTPRoute",
        "consumer",
        "test",
        "",
        ", port: 80",
        "rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: web, namespace: shop, port: 80}]}]");
    assertThat(names(80))
        .containsExactly("HTTPRoute/test/consumer/0", "none", "HTTPRoute/shop/producer/0");
    List<Route> routes = mesh.web(80).orElseThrow().virtualHosts().getFirst().getRoutesList();
    assertThat(routes.get(0).getMatch().getFilterState(0).getStringMatch().getPrefix())
        .isEqualTo("spiffe://cluster.local/ns/test/");
    assertThat(routes.get(1).getMatch().getFilterStateCount()).isEqualTo(1);
    assertThat(routes.get(2).getMatch().getFilterStateCount()).isZero();
  }

  @Test
  void asksRoutesOfTheServiceBeforeThoseOfItsWaypoint() {
    mesh.waypoint(
        "shop",
        "waypoint",
        new ParentWaypoint(
            List.of(new ParentWaypoint.Listener("mesh", 15008, Set.of(), _ -> true)),
            List.of(mesh.service("web"))));
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: all, namespace: shop}
        spec:
          parentRefs: [{name: waypoint}]
          rules: [{backendRefs: [{name: v1, port: 80}]}]
        """);
    route("HTTPRoute", "own", "shop", "", ", port: 80", ONE.formatted(80));
    assertThat(names(80)).containsExactly("HTTPRoute/shop/own/0");
    assertThat(names(8080)).containsExactly("HTTPRoute/shop/all/0");
  }

  // --- Backends

  @Test
  void keepsTheClustersOfBackendsWithoutWeight() {
    mesh.httpRoute("- backendRefs: [{name: v1, port: 80}, {name: v2, port: 80, weight: 0}]");
    assertThat(mesh.web(80).orElseThrow().backends())
        .extracting(Backend::clusterName)
        .containsExactlyInAnyOrder(
            "http|shop/v1_shop_svc_cluster_local|80", "http|shop/v2_shop_svc_cluster_local|80");
  }

  @Test
  void asksBackendsOfGrpcRoutesInGrpc() {
    mesh.grpcRoute("- backendRefs: [{name: v1, port: 80}]");
    assertThat(mesh.web(80).orElseThrow().backends())
        .extracting(Backend::protocol)
        .containsExactly(PortProtocol.GRPC);
  }

  @Test
  void attachesToAllHostsOfAServiceEntry() {
    mesh.entry("shop", "outside", "a.example", http(80))
        .entry("shop", "outside", "b.example", http(80))
        .apply(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: route, namespace: shop}
            spec:
              parentRefs: [{group: networking.istio.io, kind: ServiceEntry, name: outside}]
              rules: [{backendRefs: [{name: v1, port: 80}]}]
            """);
    assertThat(mesh.routing().services()).containsOnlyKeys("shop/a.example", "shop/b.example");
  }

  // --- Connections

  private static ConnectionShare share(Backend backend, int weight) {
    return new ConnectionShare(Optional.of(backend), weight);
  }

  private Backend tcp(String service) {
    return Backend.ofConnections(
        mesh.service(service), mesh.service(service).port(9000).orElseThrow());
  }

  @Test
  void splitsConnectionsByWeight() {
    route(
        "TCPRoute",
        "tcp",
        "shop",
        "",
        ", port: 9000",
        """
        rules:
        - backendRefs:
          - {name: v1, port: 9000, weight: 3}
          - {name: v2, port: 9000}
          - {name: gone, port: 9000, weight: 2}
        - backendRefs: [{name: v2, port: 9000}]
        """);
    ConnectionRoutes routes = mesh.webConnections(9000).orElseThrow();
    assertThat(routes.routes())
        .containsExactly(
            new ConnectionRoute(
                List.of(),
                Optional.empty(),
                List.of(
                    share(tcp("v1"), 3),
                    share(tcp("v2"), 1),
                    new ConnectionShare(Optional.empty(), 2))));
    assertThat(routes.backends()).containsExactlyInAnyOrder(tcp("v1"), tcp("v2"));
    assertThat(mesh.condition("tcp", "ResolvedRefs").reason()).isEqualTo("BackendNotFound");
    assertThat(mesh.condition("tcp", "ambit.dev/Enforced").message()).contains("spec.rules[1]");
  }

  @Test
  void hearsTheOldestTcpRouteAlone() {
    route("TCPRoute", "young", "shop", "2026-01-02T00:00:00Z", ", port: 9000", ONE.formatted(9000));
    route("TCPRoute", "old", "shop", "2026-01-01T00:00:00Z", ", port: 9000", ONE.formatted(9000));
    assertThat(mesh.condition("young", "Accepted").reason()).isEqualTo("Conflicted");
    assertThat(mesh.condition("old", "Accepted").holds()).isTrue();
  }

  @Test
  void routesByServerNames() {
    String rules = "\n" + ONE.formatted(443);
    route(
        "TLSRoute",
        "wild",
        "shop",
        "2026-01-01T00:00:00Z",
        ", port: 443",
        "hostnames: ['*.example', '*.a.example']" + rules);
    route(
        "TLSRoute",
        "exact",
        "shop",
        "2026-01-02T00:00:00Z",
        ", port: 443",
        "hostnames: [b.a.example, 'not a name']" + rules);
    route(
        "TLSRoute",
        "same",
        "shop",
        "2026-01-03T00:00:00Z",
        ", port: 443",
        "hostnames: ['*.example']" + rules);
    assertThat(mesh.webConnections(443).orElseThrow().routes())
        .extracting(ConnectionRoute::serverNames)
        .containsExactly(List.of("b.a.example"), List.of("*.a.example"), List.of("*.example"));
    assertThat(mesh.condition("exact", "ambit.dev/Enforced").message()).contains("not a name");
  }

  @Test
  void closesConnectionsOfConsumersThatNoneOfTheirRoutesFits() {
    route(
        "TLSRoute",
        "consumer",
        "test",
        "",
        ", port: 443",
        "hostnames: [a.example]\nrules: [{backendRefs: [{name: web, namespace: shop, port: 443}]}]");
    Backend own =
        Backend.ofConnections(mesh.service("web"), mesh.service("web").port(443).orElseThrow());
    assertThat(mesh.webConnections(443).orElseThrow().routes())
        .containsExactly(
            new ConnectionRoute(List.of("a.example"), Optional.of("test"), List.of(share(own, 1))),
            new ConnectionRoute(List.of(), Optional.of("test"), List.of()),
            new ConnectionRoute(List.of(), Optional.empty(), List.of(share(own, 1))));
  }

  @Test
  void sendsConsumersOfTcpTheirWayAndOthersOn() {
    route(
        "TCPRoute",
        "consumer",
        "test",
        "",
        ", port: 9000",
        "rules: [{backendRefs: [{name: web, namespace: shop, port: 9000, weight: 0}]}]");
    assertThat(mesh.webConnections(9000).orElseThrow().routes())
        .extracting(ConnectionRoute::clientNamespace)
        .containsExactly(Optional.of("test"), Optional.empty());
  }

  @Test
  void theSameObjectsInAnyOrderComeOutTheSame() {
    mesh.httpRoute("a", "- backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]")
        .httpRoute("b", "- matches: [{path: {value: /b}}]");
    RouteMesh other =
        new RouteMesh()
            .service("web", http(80))
            .service("v1", http(80))
            .service("v2", http(80))
            .httpRoute("b", "- matches: [{path: {value: /b}}]")
            .httpRoute("a", "- backendRefs: [{name: v1, port: 80}, {name: v2, port: 80}]");
    assertThat(mesh.web(80).orElseThrow().virtualHosts())
        .isEqualTo(other.web(80).orElseThrow().virtualHosts());
  }
}
