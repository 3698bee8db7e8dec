package dev.ambit.operator.waypoint.config.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.operator.model.IpAddresses;
import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.life.model.WaypointFacts;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.WaypointProbe;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import dev.ambit.operator.xds.XdsResource;
import dev.ambit.operator.xds.XdsType;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.protocol.xds.Resource;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
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
import java.util.function.Predicate;
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
              AmbientMeshSpec.DEFAULTS.defaultProviders(),
              true));

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
    index.waypoints(key, Set.of(waypoints), Optional.empty());
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
    return domains(waypoint, name -> !name.equals(ProbeEndpoint.NAME));
  }

  private List<String> probes(String waypoint) throws Exception {
    return domains(waypoint, name -> name.equals(ProbeEndpoint.NAME));
  }

  private List<String> domains(String waypoint, Predicate<String> ofHost) throws Exception {
    XdsResource routes = held(waypoint, EnvoyTypes.ROUTES).get(TunnelRoutes.NAME);
    return routes == null
        ? List.of()
        : RouteConfiguration.parseFrom(routes.message().getResource().getValue())
            .getVirtualHostsList()
            .stream()
            .filter(host -> ofHost.test(host.getName()))
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

  private XdsResource present(XdsType type, String name) {
    return Objects.requireNonNull(held(WAYPOINT, type).get(name), name);
  }

  private String version(XdsType type, String name) {
    return present(type, name).version();
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
    index.waypoints(WEB, Set.of(), Optional.empty());
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
    index.waypoints(WEB, Set.of(), Optional.empty());
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
    index.waypoints(WEB, Set.of(), Optional.empty());
    update();
    index.waypoints(WEB, Set.of(WAYPOINT), Optional.empty());
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
    return ofRoute(route, RouteStatus.ENFORCED);
  }

  private ObjectCondition accepted(String route) {
    return ofRoute(route, "Accepted");
  }

  private ObjectCondition ofRoute(String route, String type) {
    RouteStatus status =
        index.routeStatuses().stream()
            .filter(each -> each.route().name().equals(route))
            .findFirst()
            .orElseThrow();
    return status.conditions().stream()
        .filter(each -> each.type().equals(type))
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

  private static String telemetry(String service, String expression) {
    return """
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata: {namespace: shop, name: %1$s, generation: 3}
        spec:
          targetRefs: [{group: "", kind: Service, name: %1$s}]
          accessLogging: [{providers: [{name: envoy}], filter: {expression: "%2$s"}}]
        """
        .formatted(service, expression);
  }

  private static String tcpRoute(String service) {
    return """
        apiVersion: gateway.networking.k8s.io/v1alpha2
        kind: TCPRoute
        metadata: {namespace: shop, name: %1$s, generation: 3}
        spec:
          parentRefs: [{group: "", kind: Service, name: %1$s}]
          rules: [{backendRefs: [{name: %1$s, port: 80}]}]
        """
        .formatted(service);
  }

  private static final Instant LATER = NOW.plus(ListenerTrials.TAKEN);

  private void refuse(String listener, Instant now) {
    index.rejected(
        WAYPOINT,
        EnvoyTypes.LISTENER.url(),
        Map.of(listener, version(EnvoyTypes.LISTENER, listener)),
        "Error adding/updating listener(s) " + listener + ": no such thing");
    update(now);
  }

  private String chain(String name) throws Exception {
    return Listener.parseFrom(
            present(EnvoyTypes.LISTENER, "main").message().getResource().getValue())
        .getFilterChainsList()
        .stream()
        .filter(chain -> chain.getName().equals(name))
        .findFirst()
        .map(Object::toString)
        .orElse("none");
  }

  private List<String> trials() {
    return held(WAYPOINT, EnvoyTypes.LISTENER).keySet().stream()
        .filter(ListenerTrials::isTrial)
        .toList();
  }

  @Test
  void theServiceWhosePartOfAListenerIsNotTakenKeepsWhatItHadAndCostsNoOther() throws Exception {
    web();
    update();
    String before = chain(ROUTES);

    // Both at once, so Envoy's answer to the listener does not tell which.
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    apply(telemetry("web", "response.code >= 400"));
    update(LATER);
    assertThat(chain(ROUTES)).isNotEqualTo(before);
    refuse("main", LATER);
    assertThat(trials()).contains("main|" + WEB, "main|" + TCP);
    assertThat(facts().rejections()).hasSize(1);

    refuse("main|" + WEB, LATER);
    assertThat(chain(ROUTES)).isEqualTo(before);
    assertThat(chains(WAYPOINT)).contains("tcp|" + TCP + "|80");
    ObjectCondition rejected = condition("Telemetry", "web");
    assertThat(rejected.holds()).isFalse();
    assertThat(rejected.reason()).isEqualTo("RejectedByWaypoint");
    assertThat(rejected.message()).contains(WEB, "keeps what it had before", "no such thing");
    assertThat(facts().rejections()).singleElement().asString().contains(WEB, "no such thing");

    WaypointIndex.Update over = update(LATER.plus(ListenerTrials.TRIAL));
    assertThat(over.again()).isEmpty();
    assertThat(trials()).isEmpty();
    assertThat(condition("Telemetry", "web").holds()).isFalse();

    apply(telemetry("web", "response.code >= 500"));
    update(LATER.plus(ListenerTrials.TRIAL));
    assertThat(chain(ROUTES)).isNotEqualTo(before);
    assertThat(condition("Telemetry", "web").holds()).isTrue();
    assertThat(facts().rejections()).isEmpty();
  }

  @Test
  void whileServicesComeAllTheTimeEachIsTakenOnceItWasThereForLong() throws Exception {
    web();
    update();
    for (int second = 1; second <= 15; second++) {
      service("new-" + second, "10.96.1." + second, AppProtocol.HTTP11, WAYPOINT);
      update(NOW.plusSeconds(second));
    }
    String first = "shop/new-1.shop.svc.cluster.local";
    String before = chain("http|" + first + "|80");
    Instant now = NOW.plusSeconds(16);
    apply(telemetry("new-1", "response.code >= 400"));
    update(now);
    refuse("main", now);
    refuse("main|" + first, now);
    assertThat(chain("http|" + first + "|80")).isEqualTo(before);

    // What is offered next was not taken yet either, until there is an answer.
    apply(telemetry("web", "response.code >= 400"));
    update(now.plusSeconds(1));
    refuse("main", now.plusSeconds(1));
    refuse("main|" + WEB, now.plusSeconds(1));
    assertThat(condition("Telemetry", "web").reason()).isEqualTo("RejectedByWaypoint");
    assertThat(chain(ROUTES)).doesNotContain("response.code");
  }

  @Test
  void aNewServiceWhosePartOfAListenerIsNotTakenIsLeftOut() throws Exception {
    web();
    update();
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    apply(tcpRoute("tcp"));
    apply(telemetry("web", "response.code >= 400"));
    update(LATER);
    assertThat(enforced("tcp").holds()).isTrue();
    refuse("main", LATER);
    refuse("main|" + TCP, LATER);
    assertThat(chains(WAYPOINT)).containsExactly(ROUTES);
    assertThat(condition("Telemetry", "web").holds()).isTrue();
    assertThat(enforced("tcp").reason()).isEqualTo("RejectedByWaypoint");
    assertThat(enforced("tcp").message())
        .contains("left out", "no such thing")
        .doesNotContain("keeps");
    ObjectCondition bound = condition("Service", "tcp");
    assertThat(bound.type()).isEqualTo("istio.io/WaypointBound");
    assertThat(bound.holds()).isFalse();
    assertThat(bound.reason()).isEqualTo("RejectedByWaypoint");
    assertThat(bound.message()).contains("refuses", "no such thing");

    // One that has what it had before goes on.
    refuse("main|" + WEB, LATER);
    apply(telemetry("web", "response.code >= 500"));
    update(LATER.plus(ListenerTrials.TAKEN));
    refuse("main", LATER.plus(ListenerTrials.TAKEN));
    refuse("main|" + WEB, LATER.plus(ListenerTrials.TAKEN));
    assertThat(condition("Service", "web").holds()).isTrue();
    assertThat(condition("Service", "web").message()).contains("as before");
  }

  @Test
  void aRouteToABackendThatEnvoyDoesNotTakeIsNotEnforced() {
    web();
    service("v1", "10.96.0.7", AppProtocol.HTTP11);
    apply(route("there", "[{backendRefs: [{name: v1, port: 80}]}]"));
    service("other", "10.96.0.8", AppProtocol.HTTP11, WAYPOINT);
    apply(
        route("elsewhere", "[{backendRefs: [{name: other, port: 80}]}]")
            .replace("kind: Service, name: web", "kind: Service, name: other"));
    update();
    assertThat(enforced("there").holds()).isTrue();
    reject(EnvoyTypes.CLUSTER, "http|shop/v1_shop_svc_cluster_local|80");
    assertThat(enforced("there").reason()).isEqualTo("RejectedByWaypoint");
    assertThat(enforced("there").message()).contains("backend", "no such thing");
    assertThat(enforced("elsewhere").holds()).isTrue();
  }

  @Test
  void aVerdictOnTunnelsThatEnvoyDoesNotTakeIsSaidOnItsPolicies() {
    web();
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    apply(policy("readers", "GET"));
    apply(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {namespace: shop, name: callers}
        spec:
          targetRefs: [{group: "", kind: Service, name: tcp}]
          rules: [{from: [{source: {namespaces: [shop]}}]}]
        """);
    update();
    reject(EnvoyTypes.EXTENSION, "connect");
    assertThat(condition("AuthorizationPolicy", "callers").reason())
        .isEqualTo("RejectedByWaypoint");
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
  }

  @Test
  void whereKeysAreFetchedFromIsSaidOnThePolicyThatNamesIt() {
    web();
    apply(
        """
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {namespace: shop, name: tokens}
        spec:
          targetRefs: [{group: "", kind: Service, name: web}]
          jwtRules: [{issuer: i, jwksUri: "https://issuer.example/keys"}]
        """);
    update();
    assertThat(condition("RequestAuthentication", "tokens").holds()).isTrue();
    reject(EnvoyTypes.CLUSTER, "jwks|https|issuer_example|443");
    assertThat(condition("RequestAuthentication", "tokens").reason())
        .isEqualTo("RejectedByWaypoint");
  }

  @Test
  void routesThatNoChainNamesAreNotWaitedFor() {
    web();
    update();
    String fresh = "shop/fresh.shop.svc.cluster.local";
    service("fresh", "10.96.0.5", AppProtocol.HTTP11, WAYPOINT);
    apply(telemetry("fresh", "response.code >= 400"));
    update(LATER);
    assertThat(held(WAYPOINT, EnvoyTypes.ROUTES)).containsKey("http|" + fresh + "|80");
    refuse("main", LATER);
    refuse("main|" + fresh, LATER);
    assertThat(held(WAYPOINT, EnvoyTypes.ROUTES)).containsOnlyKeys(ROUTES, TunnelRoutes.NAME);

    // Where there is a chain, though another than is wanted, its routes are those of now.
    apply(telemetry("web", "response.code >= 400"));
    update(LATER);
    refuse("main", LATER);
    refuse("main|" + WEB, LATER);
    String before = version(EnvoyTypes.ROUTES, ROUTES);
    apply(
        route("route", "[{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]"));
    update(LATER);
    assertThat(version(EnvoyTypes.ROUTES, ROUTES)).isNotEqualTo(before);
  }

  @Test
  void changesThatAreNotTakenTogetherAreAllNamed() throws Exception {
    web();
    service("other", "10.96.0.2", AppProtocol.HTTP11, WAYPOINT);
    service("third", "10.96.0.3", AppProtocol.HTTP11, WAYPOINT);
    update();
    String before = chain(ROUTES);
    apply(telemetry("web", "response.code >= 400"));
    apply(telemetry("other", "response.code >= 400"));
    update(LATER);
    refuse("main", LATER);
    assertThat(trials()).noneMatch(name -> name.contains("third"));
    Instant due = index.update(LATER).again().orElseThrow();
    update(due);
    // Nobody objected to either alone.
    assertThat(trials()).isEmpty();
    assertThat(chain(ROUTES)).isEqualTo(before);
    assertThat(condition("Telemetry", "web").message()).contains("one of the changes", "other");
    assertThat(condition("Telemetry", "other").message()).contains("one of the changes", WEB);

    // Both may be fine with this change.
    apply(telemetry("other", "response.code >= 500"));
    update(due);
    assertThat(condition("Telemetry", "other").holds()).isTrue();
    assertThat(condition("Telemetry", "web").holds()).isTrue();
    assertThat(chain(ROUTES)).isNotEqualTo(before);
  }

  @Test
  void anOperatorThatHasJustStartedLeavesToEnvoyWhatThatHas() throws Exception {
    apply(telemetry("web", "response.code >= 400"));
    web();
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    update();
    String wanted = chain(ROUTES);
    refuse("main", NOW);
    refuse("main|" + WEB, NOW);
    // Without a chain for it, Envoy would end what it serves by the one that it has.
    assertThat(chain(ROUTES)).isEqualTo(wanted);
    assertThat(condition("Telemetry", "web").reason()).isEqualTo("RejectedByWaypoint");
    update(NOW.plus(ListenerTrials.TRIAL));
    assertThat(trials()).isEmpty();
    assertThat(condition("Telemetry", "web").reason()).isEqualTo("RejectedByWaypoint");
  }

  @Test
  void aTrialThatAnotherReplicaHeldTellsHereToo() {
    web();
    update();
    apply(telemetry("web", "response.code >= 400"));
    update(LATER);
    String version =
        InnerListeners.onTrial(WEB, Objects.requireNonNull(index.part(WAYPOINT, WEB))).stream()
            .filter(listener -> listener.getName().equals("main|" + WEB))
            .map(
                listener ->
                    XdsResource.of(listener.getName(), EnvoyTypes.LISTENER, listener, Set.of()))
            .findFirst()
            .orElseThrow()
            .version();
    index.rejected(
        WAYPOINT, EnvoyTypes.LISTENER.url(), Map.of("main|" + WEB, version), "no such thing");
    update(LATER);
    assertThat(condition("Telemetry", "web").reason()).isEqualTo("RejectedByWaypoint");
    // One of what it was before is passed over.
    apply(telemetry("web", "response.code >= 500"));
    update(LATER);
    index.rejected(
        WAYPOINT, EnvoyTypes.LISTENER.url(), Map.of("main|" + WEB, version), "no such thing");
    update(LATER);
    assertThat(condition("Telemetry", "web").holds()).isTrue();
  }

  // --- Where a waypoint's pods are

  private void pod(String name, String service, String address, String zone) {
    pod(name, service, address, zone, WorkloadStatus.HEALTHY);
  }

  private void pod(
      String name, String service, String address, String zone, WorkloadStatus status) {
    String key = "shop/" + service + ".shop.svc.cluster.local";
    String uid = "Kubernetes//Pod/shop/" + name;
    index.address(
        uid,
        Optional.of(
            Address.newBuilder()
                .setWorkload(
                    Workload.newBuilder()
                        .setUid(uid)
                        .setName(name)
                        .setNamespace("shop")
                        .setServiceAccount(service)
                        .setTunnelProtocol(TunnelProtocol.HBONE)
                        .setStatus(status)
                        .setLocality(Locality.newBuilder().setRegion("r").setZone(zone))
                        .addAddresses(IpAddresses.parse(address).orElseThrow())
                        .putServices(
                            key,
                            PortList.newBuilder()
                                .addPorts(Port.newBuilder().setServicePort(80).setTargetPort(8080))
                                .build()))
                .build()));
  }

  @Test
  void endpointsThatAreNotReadyGetNothing() throws Exception {
    web();
    pod("web-0", "web", "10.1.0.1", "a");
    pod("web-1", "web", "10.1.0.2", "b");
    update();
    String name = "http|shop/web_shop_svc_cluster_local|80";
    assertThat(priorities(present(EnvoyTypes.ENDPOINTS, name).message()))
        .containsOnlyKeys("a", "b");
    pod("web-1", "web", "10.1.0.2", "b", WorkloadStatus.UNHEALTHY);
    assertThat(changed(update())).containsOnlyKeys(EnvoyTypes.ENDPOINTS.url());
    assertThat(priorities(present(EnvoyTypes.ENDPOINTS, name).message())).containsOnlyKeys("a");
  }

  private static Resource own(XdsResource resource, String pod) {
    return Objects.requireNonNull(resource.ofClients().get(pod), pod);
  }

  private static Map<String, Integer> priorities(Resource endpoints) throws Exception {
    Map<String, Integer> priorities = new TreeMap<>();
    ClusterLoadAssignment.parseFrom(endpoints.getResource().getValue())
        .getEndpointsList()
        .forEach(each -> priorities.put(each.getLocality().getZone(), each.getPriority()));
    return priorities;
  }

  @Test
  void eachPodOfAWaypointIsToldWhichEndpointsAreNearToItself() throws Exception {
    web();
    pod("web-0", "web", "10.1.0.1", "a");
    pod("web-1", "web", "10.1.0.2", "b");
    service("waypoint", "10.96.0.9", AppProtocol.UNKNOWN);
    pod("waypoint-0", "waypoint", "10.1.0.9", "a");
    pod("waypoint-1", "waypoint", "10.1.0.10", "b");
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {namespace: shop, name: web}
        spec:
          host: web
          trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}
        """);
    update();
    String name = "http|shop/web_shop_svc_cluster_local|80";
    XdsResource endpoints = present(EnvoyTypes.ENDPOINTS, name);
    assertThat(priorities(own(endpoints, "waypoint-0")))
        .containsEntry("a", 0)
        .containsEntry("b", 1);
    assertThat(priorities(own(endpoints, "waypoint-1")))
        .containsEntry("b", 0)
        .containsEntry("a", 1);
    assertThat(own(endpoints, "waypoint-0").getVersion()).isEqualTo(endpoints.version());

    // Another one comes: it is told its own, by another version, and nothing else changes.
    pod("waypoint-2", "waypoint", "10.1.0.11", "a");
    WaypointIndex.Update more = update();
    assertThat(changed(more)).containsOnlyKeys(EnvoyTypes.ENDPOINTS.url());
    assertThat(version(EnvoyTypes.ENDPOINTS, name)).isNotEqualTo(endpoints.version());
    assertThat(present(EnvoyTypes.ENDPOINTS, name).ofClients())
        .containsKeys("waypoint-0", "waypoint-1", "waypoint-2");
  }

  @Test
  void whereAWaypointIsMakesNoDifferenceToServicesThatDoNotAskForIt() {
    web();
    pod("web-1", "web", "10.1.0.2", "b");
    service("waypoint", "10.96.0.9", AppProtocol.UNKNOWN);
    pod("waypoint-0", "waypoint", "10.1.0.9", "a");
    update();
    assertThat(held(WAYPOINT, EnvoyTypes.ENDPOINTS).values())
        .allSatisfy(each -> assertThat(each.ofClients()).isEmpty());
    pod("waypoint-1", "waypoint", "10.1.0.10", "b");
    assertThat(update().changes()).isEmpty();
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

  // --- What goes past a waypoint

  /** A route, a policy and a traffic rule for the service {@code web}. */
  private void applyOneOfEach() {
    apply(
        route("route", "[{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]"));
    apply(policy("readers", "GET"));
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {namespace: shop, name: rule}
        spec: {host: web.shop.svc.cluster.local}
        """);
  }

  @Test
  void whatIsToHoldWhereTrafficGoesPastTheWaypointIsNotEnforced() throws Exception {
    web();
    applyOneOfEach();
    service("tcp", "10.96.0.2", AppProtocol.TCP, WAYPOINT);
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {namespace: shop, name: rules}
        spec:
          hosts: [tcp.shop.svc.cluster.local]
          tcp: [{route: [{destination: {host: web.shop.svc.cluster.local, port: {number: 80}}}]}]
        """);
    update();
    assertThat(condition("VirtualService", "rules").holds()).isTrue();
    assertThat(condition("DestinationRule", "rule").holds()).isTrue();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
    List<String> chains = chains(WAYPOINT);

    String why = "waypoint shop/waypoint is not ready, so traffic to this object goes past it";
    index.waypoints(WEB, Set.of(WAYPOINT), Optional.of(why));
    index.waypoints(TCP, Set.of(WAYPOINT), Optional.of(why));
    update();
    assertThat(enforced("route").reason()).isEqualTo("NoWaypoint");
    assertThat(enforced("route").message()).contains(why).doesNotContain("label");
    for (ObjectCondition condition :
        List.of(
            condition("VirtualService", "rules"),
            condition("DestinationRule", "rule"),
            condition("AuthorizationPolicy", "readers"))) {
      assertThat(condition.reason()).isEqualTo("AncestorNotBound");
      assertThat(condition.message()).contains(why);
    }
    // It is ready for when it comes back.
    assertThat(chains(WAYPOINT)).isEqualTo(chains);

    // One that is not there at all.
    index.waypoints(WEB, Set.of(), Optional.of("waypoint shop/other does not exist"));
    update();
    assertThat(enforced("route").message())
        .contains("waypoint shop/other does not exist")
        .doesNotContain("no waypoint takes");
  }

  @Test
  void aHeadlessServicesPolicyHoldsWhereItsPodsHaveTheWaypoint() {
    web();
    apply(policy("readers", "GET"));
    String why = "it has no address of its own";
    index.waypoints(WEB, Set.of(WAYPOINT), Optional.of(why));
    update();
    assertThat(condition("AuthorizationPolicy", "readers").message()).contains(why);
    index.waypoints("Kubernetes//Pod/shop/web-0", Set.of(WAYPOINT), Optional.empty());
    update();
    assertThat(condition("AuthorizationPolicy", "readers").holds()).isTrue();
  }

  @Test
  void whatStandsForManyNamesIsNotLookedUp() throws Exception {
    gateway("waypoint");
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {namespace: shop, name: outside}
        spec: {hosts: ['*.example.com'], resolution: DYNAMIC_DNS}
        """);
    host("*.example.com", "240.240.0.1");
    index.address(
        "any",
        Optional.of(
            Address.newBuilder()
                .setWorkload(
                    Workload.newBuilder()
                        .setUid("any")
                        .setName("any")
                        .setNamespace("shop")
                        .setHostname("*.example.com")
                        .putServices(
                            "shop/*.example.com",
                            PortList.newBuilder()
                                .addPorts(Port.newBuilder().setServicePort(80).setTargetPort(80))
                                .build()))
                .build()));
    update();
    XdsResource cluster =
        held(WAYPOINT, EnvoyTypes.CLUSTER).values().stream()
            .filter(each -> each.name().startsWith("http|shop/"))
            .findFirst()
            .orElseThrow();
    Cluster told = Cluster.parseFrom(cluster.message().getResource().getValue());
    assertThat(told.getType()).isEqualTo(Cluster.DiscoveryType.EDS);
    assertThat(
            ClusterLoadAssignment.parseFrom(
                    present(EnvoyTypes.ENDPOINTS, cluster.name())
                        .message()
                        .getResource()
                        .getValue())
                .getEndpointsList())
        .allSatisfy(each -> assertThat(each.getLbEndpointsList()).isEmpty());
  }

  // --- What is another controller's

  private static final String ISTIO_CLASS =
      """
      apiVersion: gateway.networking.k8s.io/v1
      kind: GatewayClass
      metadata:
        name: istio-waypoint
        managedFields:
        - {manager: %s, subresource: status, fieldsV1: {"f:status": {}}}
      spec: {controllerName: istio.io/mesh-controller}
      status: {conditions: [{type: Accepted, status: "True"}]}
      """;

  private static final String ISTIOD =
      """
      apiVersion: v1
      kind: Service
      metadata: {namespace: istio-system, name: istiod, labels: {app: istiod}}
      """;

  private void expectToldOf(boolean told) {
    update();
    assertThat(index.routeStatuses()).hasSize(told ? 1 : 0);
    assertThat(index.conditions().keySet())
        .extracting(ObjectReference::kind)
        .containsExactlyInAnyOrder(
            told
                ? new String[] {"AuthorizationPolicy", "DestinationRule", "Telemetry"}
                : new String[] {});
  }

  @Test
  void ofWhatAnotherControllersWaypointsDoNothingIsSaid() throws Exception {
    String gateway =
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: waypoint, labels: {istio.io/rev: "%s"}}
        spec:
          gatewayClassName: istio-waypoint
          listeners: [{name: mesh, port: 15008, protocol: HBONE}]
        """;
    apply(gateway.formatted("default"));
    service("web", "10.96.0.1", AppProtocol.HTTP11, WAYPOINT);
    applyOneOfEach();
    apply(telemetry("web", "response.code > 400"));
    expectToldOf(true);
    apply(ISTIO_CLASS.formatted("pilot"));
    expectToldOf(false);
    // Be that ready or not.
    index.waypoints(WEB, Set.of(WAYPOINT), Optional.of("it is not ready"));
    update();
    assertThat(index.routeStatuses()).isEmpty();
    index.waypoints(WEB, Set.of(WAYPOINT), Optional.empty());
    // What serves goes on serving.
    assertThat(tunnels(WAYPOINT)).containsExactly("10.96.0.1:80");
    apply(ISTIO_CLASS.formatted("ambit-operator"));
    expectToldOf(true);
    apply(ISTIOD);
    expectToldOf(false);
    index.remove(object(ISTIOD));
    expectToldOf(true);
    apply(gateway.formatted("canary"));
    expectToldOf(false);
  }

  @Test
  void ofWhatIsForAnotherControllersGatewaysNothingIsSaid() {
    web();
    String attached =
        """
        apiVersion: %1$s
        kind: %2$s
        metadata: {namespace: %3$s, name: attached}
        spec:
          targetRefs: [{group: gateway.networking.k8s.io, kind: %4$s, name: %5$s}]
        """;
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: ingress}
        spec:
          gatewayClassName: istio
          listeners: [{name: web, port: 80, protocol: HTTP}]
        """);
    for (String[] kind :
        new String[][] {
          {"security.istio.io/v1", "AuthorizationPolicy"},
          {"security.istio.io/v1", "RequestAuthentication"},
          {"telemetry.istio.io/v1", "Telemetry"}
        }) {
      apply(attached.formatted(kind[0], kind[1], "shop", "Gateway", "ingress"));
      apply(attached.formatted(kind[0], kind[1], "ambit-system", "GatewayClass", "istio"));
      update();
      assertThat(index.conditions().values())
          .as("of %s, where there is no such class", kind[1])
          .extracting(ObjectCondition::reason)
          .containsExactly("TargetNotFound", "TargetNotFound");
      apply(
          """
          apiVersion: gateway.networking.k8s.io/v1
          kind: GatewayClass
          metadata: {name: istio}
          spec: {controllerName: istio.io/gateway-controller}
          """);
      update();
      assertThat(index.conditions()).isEmpty();
      index.remove(object(attached.formatted(kind[0], kind[1], "shop", "Gateway", "ingress")));
      index.remove(
          object(attached.formatted(kind[0], kind[1], "ambit-system", "GatewayClass", "istio")));
      index.remove(
          object(
              """
              apiVersion: gateway.networking.k8s.io/v1
              kind: GatewayClass
              metadata: {name: istio}
              """));
    }
  }

  @Test
  void telemetryOfAnotherRevisionIsNotLookedAt() {
    web();
    apply(telemetry("web", "response.code > 400"));
    update();
    String main = version(EnvoyTypes.LISTENER, "main");
    assertThat(condition("Telemetry", "web").holds()).isTrue();
    HasMetadata other = object(telemetry("web", "response.code > 400"));
    other.getMetadata().setLabels(Map.of("istio.io/rev", "canary"));
    index.put(other);
    update();
    assertThat(index.conditions()).isEmpty();
    assertThat(version(EnvoyTypes.LISTENER, "main")).isNotEqualTo(main);
  }

  // --- Routes of services

  private static final String SHOP_WEB =
      """
      apiVersion: v1
      kind: Service
      metadata: {namespace: shop, name: web}
      spec:
        ports:
        - {name: %s, port: 80}
        - {name: dns, port: 80, protocol: UDP}
      """;

  @Test
  void aRouteNamesAPortOfAService() {
    web();
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: shop, name: named}
        spec:
          parentRefs: [{group: "", kind: Service, name: web, sectionName: public}]
          rules: [{backendRefs: [{name: web, port: 80}]}]
        """);
    apply(SHOP_WEB.formatted("private"));
    update();
    assertThat(accepted("named").reason()).isEqualTo("NoMatchingParent");

    apply(SHOP_WEB.formatted("public"));
    update();
    assertThat(accepted("named").holds()).isTrue();
    assertThat(enforced("named").holds()).isTrue();
    apply(SHOP_WEB.formatted("dns"));
    update();
    assertThat(accepted("named").holds()).isFalse();
  }

  private void host(String name, String address) {
    index.address(
        "shop/" + name,
        Optional.of(
            Address.newBuilder()
                .setService(
                    Service.newBuilder()
                        .setName("outside")
                        .setNamespace("shop")
                        .setHostname(name)
                        .addAddresses(
                            NetworkAddress.newBuilder()
                                .setAddress(IpAddresses.parse(address).orElseThrow()))
                        .addPorts(
                            Port.newBuilder()
                                .setServicePort(80)
                                .setTargetPort(80)
                                .setAppProtocol(AppProtocol.HTTP11)))
                .build()));
    index.waypoints("shop/" + name, Set.of(WAYPOINT), Optional.empty());
  }

  @Test
  void aRouteOfAServiceEntryIsForAllOfItsHosts() throws Exception {
    gateway("waypoint");
    apply(
        """
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {namespace: shop, name: outside}
        spec:
          hosts: [all.example, one.example, two.example]
          ports: [{name: web, number: 80, protocol: HTTP}]
        """);
    host("one.example", "240.240.0.1");
    host("two.example", "240.240.0.2");
    apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {namespace: shop, name: outward}
        spec:
          parentRefs:
          - {group: networking.istio.io, kind: ServiceEntry, name: outside, sectionName: web}
          rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: moved.example}}]}]
        """);
    // One that has no address takes nothing from the others.
    host("all.example", "240.240.0.3");
    index.waypoints("shop/all.example", Set.of(WAYPOINT), Optional.of("it has no address"));
    update();
    assertThat(enforced("outward").holds()).isTrue();
    for (String host : List.of("one.example", "two.example")) {
      assertThat(
              RouteConfiguration.parseFrom(
                      present(EnvoyTypes.ROUTES, "http|shop/" + host + "|80")
                          .message()
                          .getResource()
                          .getValue())
                  .toString())
          .as(host)
          .contains("moved.example");
    }
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

  @Test
  void aWaypointThatItsNamespacesEnrollmentNamesSaysThatItKnowsWhatGoesThroughIt()
      throws Exception {
    web();
    gateway("other");
    update();
    assertThat(probes(WAYPOINT)).containsExactly(WaypointProbe.AUTHORITY);
    index.enrollmentWaypoints("shop", Set.of("waypoint"));
    index.enrollmentWaypoints("elsewhere", Set.of("other"));
    update();
    assertThat(probes(WAYPOINT))
        .containsExactly(WaypointProbe.AUTHORITY, WaypointProbe.NAMESPACE_AUTHORITY);
    assertThat(tunnels(WAYPOINT)).contains("10.96.0.1:80");
    assertThat(probes("shop/other")).containsExactly(WaypointProbe.AUTHORITY);
    index.enrollmentWaypoints("shop", Set.of());
    update();
    assertThat(probes(WAYPOINT)).containsExactly(WaypointProbe.AUTHORITY);
  }
}
