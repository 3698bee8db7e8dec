package dev.ambit.operator.waypoint.config.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.life.model.WaypointFacts;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import dev.ambit.operator.xds.XdsResource;
import dev.ambit.operator.xds.XdsType;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What waypoints are told of changes, and what objects' status says of what became of them. */
class WaypointIndexTest {
  private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
  private static final Instant NOW = Instant.parse("2026-11-01T10:00:00Z");
  private static final String WAYPOINT = "shop/waypoint";
  private static final String WEB = "shop/web.shop.svc.cluster.local";
  private static final String TCP = "shop/tcp.shop.svc.cluster.local";

  private final WaypointIndex index =
      new WaypointIndex(
          new WaypointSettings(
              MeshSettings.of("cluster.local", "ambit-system"),
              List.of(),
              AmbientMeshSpec.DEFAULTS.defaultProviders()));

  /** By waypoint, type and name, what each Envoy holds. */
  private final Map<String, Map<String, Map<String, XdsResource>>> held = new HashMap<>();

  private static HasMetadata object(String yaml) {
    return (HasMetadata) SERIALIZATION.<Object>unmarshal(yaml);
  }

  private void apply(String yaml) {
    index.put(object(yaml));
  }

  private void gateway(String name) {
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: %s}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        """
            .formatted(name));
  }

  private void service(String name, String address, AppProtocol protocol, String... waypoints) {
    String key = "shop/" + name + ".shop.svc.cluster.local";
    apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: shop, name: %s}
        """
            .formatted(name));
    index.address(
        key,
        Optional.of(
            Address.newBuilder()
                .setService(
                    Service.newBuilder()
                        .setName(name)
                        .setNamespace("shop")
                        .setHostname(name + ".shop.svc.cluster.local")
                        .addAddresses(
                            NetworkAddress.newBuilder()
                                .setAddress(IpAddresses.parse(address).orElseThrow()))
                        .addPorts(
                            Port.newBuilder()
                                .setServicePort(80)
                                .setTargetPort(8080)
                                .setAppProtocol(protocol)))
                .build()));
    index.waypoints(key, Set.of(waypoints));
    String pod = "Kubernetes//Pod/shop/" + name + "-0";
    index.address(
        pod,
        Optional.of(
            Address.newBuilder()
                .setWorkload(
                    Workload.newBuilder()
                        .setUid(pod)
                        .setName(name + "-0")
                        .setNamespace("shop")
                        .setServiceAccount(name)
                        .setTunnelProtocol(TunnelProtocol.HBONE)
                        .addAddresses(
                            IpAddresses.parse(address.replace("10.96.", "10.1.")).orElseThrow())
                        .putServices(
                            key,
                            PortList.newBuilder()
                                .addPorts(Port.newBuilder().setServicePort(80).setTargetPort(8080))
                                .build()))
                .build()));
  }

  private void web() {
    gateway("waypoint");
    service("web", "10.96.0.1", AppProtocol.HTTP11, WAYPOINT);
  }

  private WaypointIndex.Update update() {
    return update(NOW);
  }

  private WaypointIndex.Update update(Instant now) {
    WaypointIndex.Update update = index.update(now);
    update.removed().forEach(held::remove);
    update
        .changes()
        .forEach(
            (waypoint, changes) ->
                changes
                    .changes()
                    .forEach(
                        (type, resources) ->
                            resources.forEach(
                                (name, resource) -> {
                                  Map<String, XdsResource> ofType =
                                      held.computeIfAbsent(waypoint, _ -> new HashMap<>())
                                          .computeIfAbsent(type, _ -> new TreeMap<>());
                                  resource.ifPresentOrElse(
                                      each -> ofType.put(name, each), () -> ofType.remove(name));
                                })));
    return update;
  }

  private Map<String, XdsResource> held(String waypoint, XdsType type) {
    return held.getOrDefault(waypoint, Map.of()).getOrDefault(type.url(), Map.of());
  }

  private List<String> tunnels(String waypoint) throws Exception {
    XdsResource routes = held(waypoint, EnvoyTypes.ROUTES).get(TunnelRoutes.NAME);
    return routes == null
        ? List.of()
        : RouteConfiguration.parseFrom(routes.message().getResource().getValue())
            .getVirtualHostsList()
            .stream()
            .flatMap(host -> host.getDomainsList().stream())
            .toList();
  }

  private List<String> chains(String waypoint) throws Exception {
    XdsResource main = held(waypoint, EnvoyTypes.LISTENER).get("main");
    return main == null
        ? List.of()
        : Listener.parseFrom(main.message().getResource().getValue()).getFilterChainsList().stream()
            .map(chain -> chain.getName())
            .filter(name -> !name.equals(ServicePlan.TO_SNIFF))
            .toList();
  }

  private static Map<String, ?> changed(WaypointIndex.Update update) {
    return Objects.requireNonNull(update.changes().get(WAYPOINT)).changes();
  }

  private String version(XdsType type, String name) {
    return Objects.requireNonNull(held(WAYPOINT, type).get(name), name).version();
  }

  private WaypointFacts facts() {
    return Objects.requireNonNull(index.facts().get(WAYPOINT));
  }

  // --- What they are told

  @Test
  void aBoundServiceHasAChainRoutesAClusterAndItsTunnels() throws Exception {
    web();
    update();
    assertThat(chains(WAYPOINT)).containsExactly("http|" + WEB + "|80");
    assertThat(held(WAYPOINT, EnvoyTypes.ROUTES))
        .containsOnlyKeys("http|" + WEB + "|80", TunnelRoutes.NAME);
    assertThat(held(WAYPOINT, EnvoyTypes.CLUSTER))
        .containsKey("http|shop/web_shop_svc_cluster_local|80");
    assertThat(held(WAYPOINT, EnvoyTypes.ENDPOINTS))
        .containsOnlyKeys("http|shop/web_shop_svc_cluster_local|80");
    assertThat(tunnels(WAYPOINT)).containsExactly("10.96.0.1:80");
  }

  @Test
  void eachWaypointIsToldOfItsOwnServicesAlone() throws Exception {
    web();
    gateway("other");
    service("tcp", "10.96.0.2", AppProtocol.TCP, "shop/other");
    service("unbound", "10.96.0.3", AppProtocol.HTTP11);
    update();
    assertThat(tunnels(WAYPOINT)).containsExactly("10.96.0.1:80");
    assertThat(tunnels("shop/other")).containsExactly("10.96.0.2:80");
    assertThat(chains("shop/other")).containsExactly("tcp|" + TCP + "|80");
  }

  @Test
  void onlyWhatIsDifferentIsSent() {
    web();
    gateway("other");
    service("tcp", "10.96.0.2", AppProtocol.TCP, "shop/other");
    update();
    assertThat(update().changes()).isEmpty();

    // Another endpoint.
    service("web", "10.96.0.1", AppProtocol.HTTP11, WAYPOINT);
    assertThat(update().changes()).isEmpty();
    index.address("Kubernetes//Pod/shop/web-0", Optional.empty());
    WaypointIndex.Update without = update();
    assertThat(without.changes()).containsOnlyKeys(WAYPOINT);
    assertThat(changed(without)).containsOnlyKeys(EnvoyTypes.ENDPOINTS.url());

    // A route changes no listener, whose connections would end.
    apply(
        route("route", "[{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]"));
    WaypointIndex.Update routed = update();
    assertThat(routed.changes()).containsOnlyKeys(WAYPOINT);
    assertThat(changed(routed)).containsOnlyKeys(EnvoyTypes.ROUTES.url());
  }

  @Test
  void aServiceThatLeavesIsKnownForAWhile() throws Exception {
    web();
    update();
    index.waypoints(WEB, Set.of());
    WaypointIndex.Update left = update();
    assertThat(left.again()).contains(NOW.plus(WaypointIndex.LINGER));
    assertThat(tunnels(WAYPOINT)).containsExactly("10.96.0.1:80");
    assertThat(chains(WAYPOINT)).hasSize(1);

    Instant before = NOW.plus(WaypointIndex.LINGER).minusSeconds(1);
    update(before);
    assertThat(tunnels(WAYPOINT)).isNotEmpty();
    // No tunnel leads there any more, but those that are open may go on.
    WaypointIndex.Update over = update(NOW.plus(WaypointIndex.LINGER));
    assertThat(changed(over)).containsOnlyKeys(EnvoyTypes.ROUTES.url());
    assertThat(tunnels(WAYPOINT)).isEmpty();
    assertThat(chains(WAYPOINT)).hasSize(1);
    assertThat(over.again()).contains(NOW.plus(WaypointIndex.KEPT));

    WaypointIndex.Update gone = update(NOW.plus(WaypointIndex.KEPT));
    assertThat(gone.again()).isEmpty();
    assertThat(chains(WAYPOINT)).isEmpty();
    assertThat(held(WAYPOINT, EnvoyTypes.ENDPOINTS)).isEmpty();
  }

  @Test
  void aServiceThatLeavesKeepsItsRulesForTheConnectionsThatAreOpen() {
    web();
    apply(
        route("route", "[{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]"));
    update();
    String routes = version(EnvoyTypes.ROUTES, ROUTES);
    index.waypoints(WEB, Set.of());
    assertThat(update().changes()).isEmpty();
    assertThat(version(EnvoyTypes.ROUTES, ROUTES)).isEqualTo(routes);
    assertThat(enforced("route").holds()).isFalse();
    // Policies hold on.
    apply(policy("readers", "GET"));
    assertThat(changed(update())).containsOnlyKeys(EnvoyTypes.EXTENSION.url());
    // One whose addresses may be another's by now is forgotten at once.
    service("web", "10.96.0.9", AppProtocol.HTTP11);
    update();
    assertThat(held(WAYPOINT, EnvoyTypes.ROUTES)).containsOnlyKeys(TunnelRoutes.NAME);
  }

  @Test
  void aServiceThatComesBackInThatWhileStays() throws Exception {
    web();
    update();
    index.waypoints(WEB, Set.of());
    update();
    index.waypoints(WEB, Set.of(WAYPOINT));
    assertThat(update(NOW.plusSeconds(10)).changes()).isEmpty();
    update(NOW.plus(WaypointIndex.LINGER.multipliedBy(2)));
    assertThat(tunnels(WAYPOINT)).containsExactly("10.96.0.1:80");
  }

  @Test
  void aGatewayThatGoesIsAWaypointNoMore() {
    web();
    update();
    index.remove(
        object(
            """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: waypoint}
        """));
    assertThat(update().removed()).containsExactly(WAYPOINT);
    assertThat(index.waypoints()).isEmpty();
    assertThat(index.facts()).isEmpty();
  }

  // --- What Envoy does not take

  private static String route(String name, String rules) {
    return """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: shop, name: %s, generation: 4}
        spec:
          parentRefs: [{group: "", kind: Service, name: web}]
          rules: %s
        """
        .formatted(name, rules);
  }

  private static String policy(String name, String method) {
    return """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: shop, name: %s, generation: 7}
        spec:
          targetRefs: [{group: "", kind: Service, name: web}]
          action: ALLOW
          rules: [{to: [{operation: {methods: [%s]}}]}]
        """
        .formatted(name, method);
  }

  private static final String ALLOW = "allow|" + WEB;
  private static final String ROUTES = "http|" + WEB + "|80";

  private void reject(XdsType type, String name) {
    index.rejected(WAYPOINT, type.url(), Map.of(name, version(type, name)), "no such thing");
    update();
  }

  private ObjectCondition condition(String kind, String name) {
    return index.conditions().entrySet().stream()
        .filter(each -> each.getKey().kind().equals(kind) && each.getKey().name().equals(name))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElseThrow();
  }

  private ObjectCondition enforced(String route) {
    RouteStatus status =
        index.routeStatuses().stream()
            .filter(each -> each.route().name().equals(route))
            .findFirst()
            .orElseThrow();
    return status.conditions().stream()
        .filter(each -> each.type().equals(RouteStatus.ENFORCED))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void aPolicyThatEnvoyDoesNotTakeSaysSoUntilAnotherIsSent() {
    web();
    apply(policy("readers", "GET"));
    update();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();

    reject(EnvoyTypes.EXTENSION, ALLOW);
    ObjectCondition rejected = condition("AuthorizationPolicy", "readers");
    assertThat(rejected.holds()).isFalse();
    assertThat(rejected.reason()).isEqualTo("RejectedByWaypoint");
    assertThat(rejected.message()).contains(WAYPOINT, "no such thing");
    assertThat(rejected.generation()).hasValue(7);
    assertThat(facts().rejections()).singleElement().asString().contains(ALLOW, "no such thing");

    // Something else changes nothing about it.
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    update();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isFalse();

    apply(policy("readers", "POST"));
    update();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
    assertThat(facts().rejections()).isEmpty();
  }

  @Test
  void ofSeveralPoliciesEachNamesTheOthers() {
    web();
    apply(policy("readers", "GET"));
    apply(policy("writers", "POST"));
    update();
    reject(EnvoyTypes.EXTENSION, ALLOW);
    assertThat(condition("AuthorizationPolicy", "readers").message())
        .contains("AuthorizationPolicy shop/writers");
    assertThat(condition("AuthorizationPolicy", "writers").message())
        .contains("AuthorizationPolicy shop/readers");
  }

  @Test
  void aRejectionOfWhatIsNoLongerSentIsPassedOver() {
    web();
    apply(policy("readers", "GET"));
    update();
    String old = version(EnvoyTypes.EXTENSION, ALLOW);
    apply(policy("readers", "POST"));
    update();
    index.rejected(WAYPOINT, EnvoyTypes.EXTENSION.url(), Map.of(ALLOW, old), "late");
    update();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
    // Neither is one of a waypoint, or of a type, that nobody knows.
    index.rejected("shop/nobody", EnvoyTypes.EXTENSION.url(), Map.of(ALLOW, old), "late");
    index.rejected(WAYPOINT, "nothing", Map.of(ALLOW, old), "late");
    assertThat(facts().rejections()).isEmpty();
  }

  @Test
  void aRouteThatEnvoyDoesNotTakeIsNotEnforced() {
    web();
    service("tcp", "10.96.0.2", AppProtocol.HTTP11, WAYPOINT);
    apply(route("route", "[{backendRefs: [{name: web, port: 80}]}]"));
    apply(route("elsewhere", "[]").replace("name: web", "name: tcp"));
    update();
    assertThat(enforced("route").holds()).isTrue();

    reject(EnvoyTypes.ROUTES, ROUTES);
    assertThat(enforced("route").holds()).isFalse();
    assertThat(enforced("route").reason()).isEqualTo("RejectedByWaypoint");
    assertThat(enforced("route").message()).contains("no such thing");
    assertThat(enforced("elsewhere").holds()).isTrue();

    apply(
        route("route", "[{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]"));
    update();
    assertThat(enforced("route").holds()).isTrue();
  }

  @Test
  void trafficRulesThatEnvoyDoesNotTakeSaySo() {
    web();
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {namespace: shop, name: rules, generation: 2}
        spec:
          hosts: [web]
          http: [{route: [{destination: {host: web}}], timeout: 3s}]
        """);
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {namespace: shop, name: web, generation: 2}
        spec:
          host: web
          trafficPolicy: {connectionPool: {http: {maxRetries: 3}}}
        """);
    update();
    assertThat(condition("VirtualService", "rules").holds()).isTrue();
    assertThat(condition("DestinationRule", "web").holds()).isTrue();

    reject(EnvoyTypes.CLUSTER, "http|shop/web_shop_svc_cluster_local|80");
    assertThat(condition("VirtualService", "rules").holds()).isTrue();
    assertThat(condition("DestinationRule", "web").reason()).isEqualTo("RejectedByWaypoint");

    reject(EnvoyTypes.ROUTES, ROUTES);
    assertThat(condition("VirtualService", "rules").reason()).isEqualTo("RejectedByWaypoint");
  }

  @Test
  void whatAllServicesShareIsSaidOnTheGateway() {
    web();
    apply(policy("readers", "GET"));
    update();
    reject(EnvoyTypes.LISTENER, "main");
    assertThat(facts().rejections())
        .singleElement()
        .asString()
        .contains("Listener \"main\": no such thing");
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    update();
    assertThat(facts().rejections()).isEmpty();
  }

  // --- Routes of a Gateway

  private static String gatewayRoute(String name, String namespace, String reference) {
    return """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: %s, name: %s}
        spec:
          parentRefs: [%s]
          hostnames: [nobody.example]
        """
        .formatted(namespace, name, reference);
  }

  @Test
  void aListenerCountsTheRoutesThatItAllowsAndThatNameIt() {
    web();
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: waypoint}
        spec:
          gatewayClassName: ambit-waypoint
          listeners:
          - {name: mesh, port: 15008, protocol: HBONE}
          - name: grpc
            port: 15009
            protocol: HBONE
            allowedRoutes: {kinds: [{kind: GRPCRoute}]}
        """);
    // Of a service; counted nowhere.
    apply(route("route", "[]"));
    // No service has its host name, so it is not accepted, but attached it is.
    apply(gatewayRoute("whole", "shop", "{name: waypoint}"));
    apply(gatewayRoute("twice", "shop", "{name: waypoint, sectionName: mesh}, {name: waypoint}"));
    apply(gatewayRoute("kind", "shop", "{name: waypoint, sectionName: grpc}"));
    apply(gatewayRoute("port", "shop", "{name: waypoint, port: 80}"));
    apply(gatewayRoute("foreign", "elsewhere", "{name: waypoint, namespace: shop}"));
    update();
    assertThat(facts().attachedRoutes()).isEqualTo(Map.of("mesh", 2));
  }

  @Test
  void conditionsAreOfObjectsThatHaveThem() {
    web();
    apply(policy("readers", "GET"));
    update();
    reject(EnvoyTypes.EXTENSION, ALLOW);
    assertThat(index.conditions().keySet())
        .extracting(ObjectReference::kind)
        .containsOnly("AuthorizationPolicy");
  }
}
