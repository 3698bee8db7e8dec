package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.WellKnown;
import dev.ambit.api.WhenMissing;
import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.WeightedWaypoint;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which waypoint an object is bound to, and that one which cannot be used lets nothing pass. */
class WaypointsTest {
  private static final String NOWHERE = "waypoint.shop.waypoint.invalid";

  private final Waypoints waypoints = new Waypoints();

  private static Waypoints.Subject subject(Map<String, String> labels) {
    return new Waypoints.Subject("shop", labels, Map.of());
  }

  private static Waypoints.Surroundings in(Map<String, String> labels) {
    return new Waypoints.Surroundings(labels, Map.of(), Optional.empty());
  }

  private void gateway(String name, String labels, String allowed, String addresses) {
    waypoints.put(
        Objects.gateway(
            """
            metadata: {name: %s, namespace: shop, labels: %s}
            spec:
              gatewayClassName: istio-waypoint
              listeners:
              - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: %s}}
            status: {addresses: %s}
            """
                .formatted(name, labels, allowed, addresses)));
  }

  private void ready(String name) {
    gateway(
        name,
        "{}",
        "{from: Same}",
        "[{type: IPAddress, value: 10.96.9.9}, {type: Hostname, value: "
            + name
            + ".shop.svc.cluster.local}]");
  }

  private WaypointBinding service(Map<String, String> labels, Map<String, String> namespace) {
    return waypoints.forService(
        subject(labels), Set.of("cart.shop.svc.cluster.local"), in(namespace));
  }

  private static String host(WaypointBinding binding) {
    return binding.address().orElseThrow().getHostname().getHostname();
  }

  private static String reason(WaypointBinding binding) {
    return binding.status().orElseThrow().reason();
  }

  @Test
  void anObjectsOwnLabelWinsOverItsNamespaces() {
    ready("own");
    ready("theirs");
    Map<String, String> namespace = Map.of(Waypoints.USE, "theirs");
    assertThat(host(service(Map.of(Waypoints.USE, "own"), namespace)))
        .isEqualTo("own.shop.svc.cluster.local");
    assertThat(host(service(Map.of(), namespace))).isEqualTo("theirs.shop.svc.cluster.local");
    assertThat(service(Map.of(Waypoints.USE, "none"), namespace)).isEqualTo(WaypointBinding.NONE);
    assertThat(service(Map.of(), Map.of())).isEqualTo(WaypointBinding.NONE);
    assertThat(reason(service(Map.of(), namespace))).isEqualTo("WaypointAccepted");
  }

  @Test
  void gatewaysGoThroughAWaypointWhereTheServiceOrElseItsNamespaceSaysSo() {
    ready("own");
    Map<String, String> use = Map.of(Waypoints.USE, "own");
    Map<String, String> through = Map.of(Waypoints.USE, "own", Waypoints.INGRESS_USE, "true");
    Map<String, String> past = Map.of(Waypoints.USE, "own", Waypoints.INGRESS_USE, "false");
    assertThat(service(use, Map.of()).ingress()).isFalse();
    assertThat(service(through, Map.of()).ingress()).isTrue();
    assertThat(service(use, through).ingress()).isTrue();
    assertThat(service(past, through).ingress()).isFalse();
    assertThat(service(Map.of(Waypoints.INGRESS_USE, "true"), Map.of()).ingress()).isFalse();
  }

  @Test
  void trafficGoesPastAWaypointThatCannotBeUsedWhereItIsToBypassIt() {
    gateway("pending", "{}", "{from: Same}", "[]");
    for (String name : Set.of("missing", "pending")) {
      Map<String, String> labels =
          Map.of(Waypoints.USE, name, WellKnown.WAYPOINT_WHEN_MISSING, "Bypass");
      WaypointBinding ofObject = service(labels, Map.of());
      assertThat(ofObject.address()).isEmpty();
      assertThat(reason(ofObject)).isEqualTo("WaypointIsNotReady");
      assertThat(ofObject.status().orElseThrow().holds()).isFalse();
      assertThat(ofObject.status().orElseThrow().message())
          .contains("goes past it")
          .contains("not enforced");
      assertThat(service(Map.of(), labels).address()).as("said of the namespace").isEmpty();
    }
    ready("pending");
    assertThat(
            host(
                service(
                    Map.of(Waypoints.USE, "pending", WellKnown.WAYPOINT_WHEN_MISSING, "Bypass"),
                    Map.of())))
        .isEqualTo("pending.shop.svc.cluster.local");
  }

  @Test
  void anObjectsWordOnAMissingWaypointWinsOverItsNamespacesAndThatOverItsEnrollments() {
    Map<String, String> bypass = Map.of(WellKnown.WAYPOINT_WHEN_MISSING, "Bypass");
    Map<String, String> reject = Map.of(WellKnown.WAYPOINT_WHEN_MISSING, "Reject");
    assertThat(bypassed(reject, bypass, Optional.of(WhenMissing.BYPASS))).isFalse();
    assertThat(bypassed(Map.of(), reject, Optional.of(WhenMissing.BYPASS))).isFalse();
    assertThat(bypassed(Map.of(), Map.of(), Optional.of(WhenMissing.BYPASS))).isTrue();
    assertThat(bypassed(bypass, reject, Optional.empty())).isTrue();
    assertThat(bypassed(Map.of(), Map.of(), Optional.empty())).isFalse();
  }

  private boolean bypassed(
      Map<String, String> annotations,
      Map<String, String> namespace,
      Optional<WhenMissing> enrollment) {
    return waypoints
        .forService(
            new Waypoints.Subject("shop", Map.of(Waypoints.USE, "waypoint"), annotations),
            Set.of("cart.shop.svc.cluster.local"),
            new Waypoints.Surroundings(Map.of(), namespace, enrollment))
        .address()
        .isEmpty();
  }

  @Test
  void aWordOnAMissingWaypointThatHasNoMeaningLetsNothingPassAndIsTold() {
    WaypointBinding binding =
        service(
            Map.of(Waypoints.USE, "waypoint", WellKnown.WAYPOINT_WHEN_MISSING, "bypass"), Map.of());
    assertThat(host(binding)).isEqualTo(NOWHERE);
    assertThat(binding.status().orElseThrow().message())
        .contains("ambit.dev/waypoint-when-missing=bypass has no meaning");
  }

  @Test
  void aWaypointThatIsMissingOrNotReadyIsNamedAllTheSameAndLeadsNowhere() {
    ready("theirs");
    Map<String, String> namespace = Map.of(Waypoints.USE, "theirs");
    WaypointBinding missing = service(Map.of(Waypoints.USE, "waypoint"), namespace);
    assertThat(host(missing)).isEqualTo(NOWHERE);
    assertThat(reason(missing)).isEqualTo("WaypointIsNotReady");
    assertThat(missing.status().orElseThrow().holds()).isFalse();
    assertThat(missing.status().orElseThrow().message()).contains("shop/waypoint does not exist");

    gateway("waypoint", "{}", "{from: Same}", "[]");
    WaypointBinding notReady = service(Map.of(Waypoints.USE, "waypoint"), namespace);
    assertThat(host(notReady)).isEqualTo(NOWHERE);
    assertThat(notReady.status().orElseThrow().message()).contains("is not ready");

    ready("waypoint");
    assertThat(host(service(Map.of(Waypoints.USE, "waypoint"), namespace)))
        .isEqualTo("waypoint.shop.svc.cluster.local");
  }

  @Test
  void aWaypointThatDoesNotAdmitTheNamespaceLetsNothingPass() {
    String address = "[{type: IPAddress, value: 10.96.9.9}]";
    gateway("waypoint", "{}", "{from: Same}", address);
    Waypoints.Subject other =
        new Waypoints.Subject(
            "web", Map.of(Waypoints.USE, "waypoint", Waypoints.USE_NAMESPACE, "shop"), Map.of());
    WaypointBinding denied = waypoints.forService(other, Set.of("x"), in(Map.of()));
    assertThat(host(denied)).isEqualTo(NOWHERE);
    assertThat(reason(denied)).isEqualTo("AttachmentDenied");

    gateway(
        "waypoint",
        "{}",
        "{from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [a]}]}}",
        address);
    assertThat(reason(waypoints.forService(other, Set.of("x"), in(Map.of("team", "b")))))
        .isEqualTo("AttachmentDenied");
    assertThat(reason(waypoints.forService(other, Set.of("x"), in(Map.of("team", "a")))))
        .isEqualTo("WaypointAccepted");

    gateway("waypoint", "{}", "{from: All}", address);
    WaypointBinding admitted = waypoints.forService(other, Set.of("x"), in(Map.of()));
    assertThat(IpAddresses.text(admitted.address().orElseThrow().getAddress().getAddress()))
        .isEqualTo("10.96.9.9");
    assertThat(admitted.address().orElseThrow().getHboneMtlsPort()).isEqualTo(15008);
  }

  @Test
  void aWaypointIsForServicesUnlessItSaysOtherwise() {
    ready("waypoint");
    Map<String, String> label = Map.of(Waypoints.USE, "waypoint");
    // Inherited, it is simply not for workloads.
    assertThat(waypoints.forWorkload(subject(Map.of()), in(label))).isEqualTo(WaypointBinding.NONE);
    WaypointBinding labelled = waypoints.forWorkload(subject(label), in(Map.of()));
    assertThat(host(labelled)).isEqualTo(NOWHERE);
    assertThat(reason(labelled)).isEqualTo("UnsupportedTrafficType");

    gateway(
        "waypoint",
        "{istio.io/waypoint-for: workload}",
        "{from: Same}",
        "[{type: IPAddress, value: 10.96.9.9}]");
    assertThat(waypoints.forWorkload(subject(Map.of()), in(label)).address()).isPresent();
    WaypointBinding inherited = service(Map.of(), label);
    assertThat(inherited.address()).isEmpty();
    assertThat(reason(inherited)).isEqualTo("UnsupportedTrafficType");
    assertThat(host(service(label, Map.of()))).isEqualTo(NOWHERE);

    // The class says it for Gateways that do not.
    waypoints.put(
        Objects.gatewayClass(
            "metadata: {name: istio-waypoint, labels: {istio.io/waypoint-for: all}}"));
    ready("waypoint");
    assertThat(reason(service(label, Map.of()))).isEqualTo("WaypointAccepted");
    assertThat(reason(waypoints.forWorkload(subject(label), in(Map.of()))))
        .isEqualTo("WaypointAccepted");
  }

  @Test
  void waypointsAreBehindNoWaypoint() {
    gateway(
        "waypoint",
        "{istio.io/waypoint-for: all}",
        "{from: Same}",
        "[{type: Hostname, value: waypoint.shop.svc.cluster.local}]");
    Map<String, String> label = Map.of(Waypoints.USE, "waypoint");
    assertThat(
            waypoints.forService(
                subject(Map.of()), Set.of("waypoint.shop.svc.cluster.local"), in(label)))
        .isEqualTo(WaypointBinding.NONE);
    assertThat(
            waypoints.forService(
                subject(Map.of("gateway.istio.io/managed", "istio.io-mesh-controller")),
                Set.of("other"),
                in(label)))
        .isEqualTo(WaypointBinding.NONE);
    Waypoints.Subject instance = subject(Map.of(Waypoints.INSTANCE_OF, "waypoint"));
    assertThat(waypoints.place(instance, in(label))).isEqualTo(Placement.NONE);
    assertThat(waypoints.place(subject(Map.of()), in(label)).waypoint()).isPresent();
  }

  @Test
  void instancesOfASandwichedWaypointAreHandedConnectionsItsWay() {
    waypoints.put(
        Objects.gateway(
            """
            metadata:
              name: waypoint
              namespace: shop
              annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}
            spec: {gatewayClassName: other}
            """));
    assertThat(
            waypoints
                .place(subject(Map.of(Waypoints.INSTANCE_OF, "waypoint")), in(Map.of()))
                .tunnel())
        .contains(
            ApplicationTunnel.newBuilder()
                .setProtocol(ApplicationTunnel.Protocol.PROXY)
                .setPort(15088)
                .build());
  }

  @Test
  void aCanaryTakesItsShareAndAnErrorOfItKeepsThePrimary() {
    ready("waypoint");
    ready("next");
    Map<String, String> labels = Map.of(Waypoints.USE, "waypoint", Waypoints.CANARY, "next");
    assertThat(canary(labels, Map.of(Waypoints.CANARY_WEIGHT, "20")).weighted())
        .extracting(
            weighted -> weighted.getDestination().getHostname().getHostname(),
            WeightedWaypoint::getWeight)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("waypoint.shop.svc.cluster.local", 80),
            org.assertj.core.groups.Tuple.tuple("next.shop.svc.cluster.local", 20));
    WaypointBinding wrong = canary(labels, Map.of(Waypoints.CANARY_WEIGHT, "120"));
    assertThat(wrong.weighted()).isEmpty();
    assertThat(wrong.status().orElseThrow().holds()).isTrue();
    assertThat(wrong.status().orElseThrow().message()).contains("gets no share of it");
    WaypointBinding missing =
        canary(Map.of(Waypoints.USE, "waypoint", Waypoints.CANARY, "gone"), Map.of());
    assertThat(missing.weighted()).isEmpty();
    assertThat(host(missing)).isEqualTo("waypoint.shop.svc.cluster.local");
    // No share for anybody where the primary lets nothing pass.
    assertThat(
            canary(
                    Map.of(Waypoints.USE, "gone", Waypoints.CANARY, "next"),
                    Map.of(Waypoints.CANARY_WEIGHT, "20"))
                .weighted())
        .isEmpty();
  }

  private WaypointBinding canary(Map<String, String> labels, Map<String, String> annotations) {
    return waypoints.forService(
        new Waypoints.Subject("shop", labels, annotations), Set.of("x"), in(Map.of()));
  }
}
