package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import io.fabric8.kubernetes.api.model.Service;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Nobody reaches pods past the waypoint that has to judge. */
class RequiredWaypointTest {
  private static final String WAYPOINT = "td/ns/a/sa/waypoint";

  private final Map<String, Set<String>> told = new HashMap<>();
  private final Map<String, String> past = new HashMap<>();
  private final Map<BoundObject, List<ObjectCondition>> said = new HashMap<>();
  private final MeshIndex index =
      new MeshIndex(
          MeshSettings.of("td", "root"),
          new MeshOutput() {
            @Override
            public void address(String name, Optional<Address> address) {}

            @Override
            public void authorization(String name, Optional<Authorization> authorization) {}

            @Override
            public void waypoints(String name, Set<String> gateways, Optional<String> why) {
              told.put(name, gateways);
              why.ifPresentOrElse(present -> past.put(name, present), () -> past.remove(name));
            }

            @Override
            public void conditions(BoundObject object, List<ObjectCondition> conditions) {
              said.put(object, conditions);
            }
          });

  RequiredWaypointTest() {
    index.put(gateway("a", "waypoint"));
    index.put(gateway("a", "canary"));
    index.put(Objects.pod("a", "web", "10.0.0.1", Map.of("app", "web")));
    index.put(service("web", Map.of("istio.io/use-waypoint", "waypoint")));
  }

  private static io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway gateway(
      String namespace, String name) {
    return Objects.gateway(
        """
        metadata: {name: %s, namespace: %s}
        spec: {gatewayClassName: ambit-waypoint, listeners: [{name: m, port: 15008, protocol: HBONE}]}
        status: {addresses: [{type: IPAddress, value: 10.96.1.1}]}
        """
            .formatted(name, namespace));
  }

  private static Service service(String name, Map<String, String> labels) {
    Service service = Objects.service("a", name, "10.96.0.1", Map.of("app", "web"));
    service.getMetadata().setLabels(labels);
    return service;
  }

  private static io.fabric8.istio.api.security.v1.AuthorizationPolicy policy(
      String metadata, String target, String action) {
    return Objects.policy(
        "metadata: {%s}\nspec: {targetRefs: [{%s}], action: %s, rules: [{to: [{operation: {methods: [GET]}}]}]}"
            .formatted(metadata, target, action));
  }

  private boolean reaches(String principal, int port) {
    var workload =
        index.addresses().values().stream()
            .filter(Address::hasWorkload)
            .findFirst()
            .orElseThrow()
            .getWorkload();
    return workload.getAuthorizationPoliciesList().stream()
        .map(name -> java.util.Objects.requireNonNull(index.authorizations().get(name), name))
        .noneMatch(
            policy ->
                PolicyEvaluation.matches(
                    policy,
                    new PolicyEvaluation.Connection(principal, "10.0.0.9", "10.0.0.1", port)));
  }

  private void expectOnlyThrough(String... principals) {
    assertThat(reaches("td/ns/a/sa/client", 8080)).isFalse();
    for (String principal : principals) {
      assertThat(reaches(principal, 8080)).as(principal).isTrue();
    }
    assertThat(reaches("td/ns/a/sa/client", 9090)).as("another port").isTrue();
  }

  private void expectOpen() {
    assertThat(reaches("td/ns/a/sa/client", 8080)).isTrue();
  }

  @Test
  void soDoesAPolicyOnTokensWhichOnlyWaypointsVerify() {
    String yaml =
        """
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {name: p, namespace: a}
        spec:
          targetRefs: [{group: '', kind: Service, name: %s}]
          jwtRules: [{issuer: i, jwks: '{}'}]
        """;
    var tokens =
        io.fabric8.kubernetes.client.utils.Serialization.unmarshal(
            yaml.formatted("web"), io.fabric8.istio.api.security.v1.RequestAuthentication.class);
    index.put(tokens);
    expectOnlyThrough(WAYPOINT);
    // One of the same name of the other kind is another one.
    var of = policy("name: p, namespace: a", "group: '', kind: Service, name: web", "ALLOW");
    index.put(of);
    index.remove(of);
    expectOnlyThrough(WAYPOINT);
    index.settings(MeshSettings.of("td", "other-root"));
    expectOnlyThrough(WAYPOINT);
    index.put(
        io.fabric8.kubernetes.client.utils.Serialization.unmarshal(
            yaml.formatted("other"), io.fabric8.istio.api.security.v1.RequestAuthentication.class));
    expectOpen();
    index.put(tokens);
    expectOnlyThrough(WAYPOINT);
    index.remove(tokens);
    expectOpen();
  }

  @Test
  void aPolicyForWaypointsClosesOtherWays() {
    expectOpen();
    var ofService = policy("name: p, namespace: a", "group: '', kind: Service, name: web", "ALLOW");
    index.put(ofService);
    expectOnlyThrough(WAYPOINT);
    assertThat(index.conditions().get(new BoundObject(BoundObject.Kind.SERVICE, "a", "web")))
        .singleElement()
        .satisfies(each -> assertThat(each.message()).contains("let in only"));
    index.remove(ofService);
    expectOpen();
    assertThat(index.authorizations().keySet())
        .noneMatch(name -> name.contains("require_waypoint"));

    index.put(
        policy(
            "name: p, namespace: a",
            "group: gateway.networking.k8s.io, kind: Gateway, name: waypoint",
            "DENY"));
    expectOnlyThrough(WAYPOINT);
    index.put(
        policy(
            "name: p, namespace: a",
            "group: gateway.networking.k8s.io, kind: Gateway, name: other",
            "DENY"));
    expectOpen();
    index.put(
        policy(
            "name: p, namespace: root",
            "group: gateway.networking.k8s.io, kind: GatewayClass, name: ambit-waypoint",
            "CUSTOM"));
    expectOnlyThrough(WAYPOINT);
  }

  @Test
  void whatIsNotEnforcedClosesNothing() {
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "AUDIT"));
    expectOpen();
    index.put(
        policy(
            "name: p, namespace: a, annotations: {istio.io/dry-run: 'true'}",
            "kind: Service, name: web",
            "DENY"));
    expectOpen();
    index.put(
        policy(
            "name: p, namespace: a",
            "group: gateway.networking.k8s.io, kind: GatewayClass, name: ambit-waypoint",
            "DENY"));
    expectOpen();
    // Nobody would enforce it.
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "DENY"));
    expectOnlyThrough(WAYPOINT);
    index.put(service("web", Map.of()));
    expectOpen();
  }

  @Test
  void labelsSayItOutright() {
    index.put(
        service(
            "web", Map.of("istio.io/use-waypoint", "waypoint", RequiredWaypoint.LABEL, "true")));
    expectOnlyThrough(WAYPOINT);
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "DENY"));
    index.put(
        service(
            "web", Map.of("istio.io/use-waypoint", "waypoint", RequiredWaypoint.LABEL, "false")));
    expectOpen();
    index.put(service("web", Map.of("istio.io/use-waypoint", "waypoint")));
    var namespace = Objects.namespace("a", Map.of());
    namespace.getMetadata().setLabels(Map.of(RequiredWaypoint.LABEL, "false"));
    index.put(namespace);
    expectOpen();
    index.remove(namespace);
    expectOnlyThrough(WAYPOINT);
  }

  @Test
  void anEnrollmentBindsItsNamespaceAsALabelWould() {
    index.put(service("web", Map.of()));
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "DENY"));
    expectOpen();
    index.enrollmentWaypoints("a", Optional.of("waypoint"), Optional.empty());
    expectOnlyThrough(WAYPOINT);
    // It wins over the namespace's label, and the object's own label over it.
    var namespace = Objects.namespace("a", Map.of());
    namespace.getMetadata().setLabels(Map.of("istio.io/use-waypoint", "none"));
    index.put(namespace);
    expectOnlyThrough(WAYPOINT);
    index.put(service("web", Map.of("istio.io/use-waypoint", "none")));
    expectOpen();
    index.put(service("web", Map.of()));
    expectOnlyThrough(WAYPOINT);
    // The waypoint goes, and comes back.
    var gateway = gateway("a", "waypoint");
    index.remove(gateway);
    index.put(gateway);
    expectOnlyThrough(WAYPOINT);
    index.enrollmentWaypoints("a", Optional.empty(), Optional.empty());
    expectOpen();
  }

  @Test
  void theNextWaypointIsToldWhileAllElseStaysAsItIs() {
    index.put(service("web", Map.of()));
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "DENY"));
    var before = Map.copyOf(index.addresses());
    told.clear();
    index.enrollmentWaypoints("a", Optional.empty(), Optional.of("waypoint"));
    assertThat(told).isEqualTo(Map.of("a/web.a.svc.cluster.local", Set.of("a/waypoint")));
    assertThat(past.get("a/web.a.svc.cluster.local")).contains("through waypoint a/waypoint yet");
    expectOpen();
    assertThat(index.addresses()).isEqualTo(before);
    // The waypoint goes, and comes back.
    index.remove(gateway("a", "waypoint"));
    index.put(gateway("a", "waypoint"));
    assertThat(told.get("a/web.a.svc.cluster.local")).containsExactly("a/waypoint");
    index.enrollmentWaypoints("a", Optional.empty(), Optional.empty());
    assertThat(told.get("a/web.a.svc.cluster.local")).isEmpty();
    // From one waypoint to another, both know.
    index.enrollmentWaypoints("a", Optional.of("waypoint"), Optional.of("canary"));
    assertThat(told.get("a/web.a.svc.cluster.local"))
        .containsExactlyInAnyOrder("a/waypoint", "a/canary");
    assertThat(past).isEmpty();
    expectOnlyThrough(WAYPOINT);
    // What has a way of its own keeps it.
    index.put(service("web", Map.of("istio.io/use-waypoint", "none")));
    assertThat(told.get("a/web.a.svc.cluster.local")).isEmpty();
  }

  @Test
  void aHeadlessServiceIsBoundToNoWaypointAndItsPodsStayClosedWhereItRequiresOne() {
    Service headless = service("web", Map.of("istio.io/use-waypoint", "waypoint"));
    headless.getSpec().setClusterIP("None");
    headless.getSpec().setClusterIPs(List.of("None"));
    index.put(headless);
    BoundObject web = new BoundObject(BoundObject.Kind.SERVICE, "a", "web");
    expectOpen();
    assertThat(said.get(web))
        .singleElement()
        .satisfies(
            condition -> {
              assertThat(condition.holds()).isFalse();
              assertThat(condition.reason()).isEqualTo("Headless");
              assertThat(condition.message()).contains("headless").doesNotContain("refused");
            });
    assertThat(past.get("a/web.a.svc.cluster.local")).contains("headless");
    // What nobody can judge is not let in, and that is said.
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "ALLOW"));
    expectOnlyThrough(WAYPOINT);
    assertThat(said.get(web))
        .singleElement()
        .satisfies(condition -> assertThat(condition.message()).contains("are refused"));
    assertThat(past.get("a/web.a.svc.cluster.local")).contains("are refused");
    // With an address it is a service like others.
    index.put(service("web", Map.of("istio.io/use-waypoint", "waypoint")));
    assertThat(said.get(web)).singleElement().matches(ObjectCondition::holds);
    assertThat(past).isEmpty();
  }

  @Test
  void whereTheWaypointIsBypassedItsTrafficIsToldToGoPast() {
    index.put(
        service(
            "web",
            Map.of(
                "istio.io/use-waypoint", "pending", "ambit.dev/waypoint-when-missing", "Bypass")));
    index.put(
        Objects.gateway(
            """
            metadata: {name: pending, namespace: a}
            spec: {gatewayClassName: ambit-waypoint, listeners: [{name: m, port: 15008, protocol: HBONE}]}
            """));
    String name = "a/web.a.svc.cluster.local";
    assertThat(told.get(name)).containsExactly("a/pending");
    assertThat(past.get(name)).contains("a/pending is not ready", "goes past it");
    // Where it is refused meanwhile, nothing goes past.
    index.put(service("web", Map.of("istio.io/use-waypoint", "pending")));
    assertThat(past).isEmpty();
    index.put(service("web", Map.of("istio.io/use-waypoint", "nowhere")));
    assertThat(past.get(name)).contains("a/nowhere does not exist");
  }

  @Test
  void theCanaryIsAWayToo() {
    index.put(
        service(
            "web",
            Map.of("istio.io/use-waypoint", "waypoint", "istio.io/use-waypoint-canary", "canary")));
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "ALLOW"));
    expectOnlyThrough(WAYPOINT, "td/ns/a/sa/canary");
  }

  @Test
  void anotherServiceOfThePodIsNoWayPast() {
    index.put(service("side-door", Map.of()));
    index.put(policy("name: p, namespace: a", "kind: Service, name: web", "ALLOW"));
    expectOnlyThrough(WAYPOINT);
    // One that has a waypoint of its own, and requires it, is one.
    index.put(
        service(
            "side-door",
            Map.of("istio.io/use-waypoint", "canary", RequiredWaypoint.LABEL, "true")));
    expectOnlyThrough(WAYPOINT, "td/ns/a/sa/canary");
  }
}
