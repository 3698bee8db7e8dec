package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.Conditions;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatus;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddress;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayStatusAddressBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ListenerStatus;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What stands on a waypoint's Gateway. */
class GatewayReportTest {
  private static final Instant NOW = Instant.parse("2026-11-01T10:00:00Z");
  private static final GatewayStatusAddress ADDRESS =
      new GatewayStatusAddressBuilder()
          .withType("Hostname")
          .withValue("waypoint.shop.svc.cluster.local")
          .build();

  private static Gateway gateway(String listeners) {
    return Serialization.unmarshal(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {namespace: shop, name: waypoint, generation: 3}
        spec:
          gatewayClassName: ambit-waypoint
          listeners: %s
        """
            .formatted(listeners),
        Gateway.class);
  }

  private static final String MESH = "[{name: mesh, port: 15008, protocol: HBONE}]";

  private static WaypointObservation observed(
      String listeners,
      Optional<WaypointObservation.Problem> problem,
      WaypointObservation.Instances instances) {
    return observed(listeners, problem, instances, WaypointFacts.NONE);
  }

  private static WaypointObservation observed(
      String listeners,
      Optional<WaypointObservation.Problem> problem,
      WaypointObservation.Instances instances,
      WaypointFacts facts) {
    return new WaypointObservation(
        gateway(listeners),
        true,
        problem,
        instances,
        Optional.empty(),
        List.of(ADDRESS),
        true,
        facts);
  }

  private static WaypointObservation.Instances instances(int wanted, int ready) {
    return new WaypointObservation.Instances(
        wanted, ready, ready, ready < wanted, Optional.empty());
  }

  private static GatewayStatus status(WaypointObservation observed) {
    return GatewayReport.of(null, observed, NOW);
  }

  private static Condition condition(List<Condition> of, String type) {
    return Conditions.find(of, type).orElseThrow();
  }

  private static String said(List<Condition> of, String type) {
    Condition condition = condition(of, type);
    return condition.getStatus() + "/" + condition.getReason();
  }

  @Test
  void anAddressStandsThereOnlyWhileAnInstanceIsReady() {
    GatewayStatus pending = status(observed(MESH, Optional.empty(), instances(2, 0)));
    assertThat(pending.getAddresses()).isEmpty();
    assertThat(said(pending.getConditions(), "Accepted")).isEqualTo("True/Accepted");
    assertThat(said(pending.getConditions(), "Programmed")).isEqualTo("False/Pending");

    GatewayStatus ready = status(observed(MESH, Optional.empty(), instances(2, 1)));
    assertThat(ready.getAddresses()).containsExactly(ADDRESS);
    assertThat(said(ready.getConditions(), "Programmed")).isEqualTo("True/Programmed");
    assertThat(condition(ready.getConditions(), "Programmed").getObservedGeneration()).isEqualTo(3);
  }

  @Test
  void whyNoInstanceCanBeMadeIsTold() {
    GatewayStatus status =
        status(
            observed(
                MESH,
                Optional.empty(),
                new WaypointObservation.Instances(
                    2, 0, 0, true, Optional.of("exceeded quota: pods"))));
    assertThat(condition(status.getConditions(), "Programmed").getMessage())
        .contains("exceeded quota: pods");
    assertThat(said(status.getConditions(), "ambit.dev/UpToDate")).isEqualTo("False/RollingOut");
  }

  @Test
  void badParametersAreNotAcceptedAndWhatServesGoesOnServing() {
    GatewayStatus status =
        status(
            observed(
                MESH,
                Optional.of(new WaypointObservation.Problem.Parameters("ConfigMap shop/x is odd")),
                instances(2, 2)));
    assertThat(said(status.getConditions(), "Accepted")).isEqualTo("False/InvalidParameters");
    assertThat(condition(status.getConditions(), "Accepted").getMessage())
        .contains("ConfigMap shop/x is odd")
        .contains("stays as it last was");
    assertThat(said(status.getConditions(), "Programmed")).isEqualTo("True/Programmed");
    assertThat(status.getAddresses()).containsExactly(ADDRESS);
    assertThat(said(status.getConditions(), "ambit.dev/UpToDate")).isEqualTo("False/Held");
  }

  @Test
  void anObjectInTheWayIsTold() {
    GatewayStatus status =
        status(
            observed(
                MESH,
                Optional.of(
                    new WaypointObservation.Problem.Occupied(
                        "Deployment shop/waypoint is not ours")),
                WaypointObservation.Instances.NONE));
    assertThat(said(status.getConditions(), "Programmed")).isEqualTo("False/Invalid");
    assertThat(condition(status.getConditions(), "Programmed").getMessage())
        .contains("Deployment shop/waypoint is not ours");
  }

  @Test
  void eachListenerIsJudgedOnItsOwn() {
    GatewayStatus status =
        status(
            observed(
                "[{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {kinds: [{kind:"
                    + " HTTPRoute}, {kind: UDPRoute}]}}, {name: web, port: 80, protocol: HTTP},"
                    + " {name: other, port: 15009, protocol: HBONE}, {name: twice, port: 15008,"
                    + " protocol: HBONE}]",
                Optional.empty(),
                instances(1, 1)));
    assertThat(said(status.getConditions(), "Accepted")).isEqualTo("True/ListenersNotValid");
    assertThat(status.getListeners())
        .extracting(ListenerStatus::getName)
        .containsExactly("mesh", "web", "other", "twice");
    assertThat(status.getListeners())
        .extracting(listener -> said(listener.getConditions(), "Accepted"))
        .containsExactly(
            "True/Accepted",
            "False/UnsupportedProtocol",
            "False/PortUnavailable",
            "False/PortUnavailable");
    ListenerStatus mesh = status.getListeners().getFirst();
    assertThat(said(mesh.getConditions(), "ResolvedRefs")).isEqualTo("False/InvalidRouteKinds");
    assertThat(mesh.getSupportedKinds())
        .extracting(kind -> kind.getKind())
        .containsExactly("HTTPRoute");
    assertThat(said(mesh.getConditions(), "Programmed")).isEqualTo("True/Programmed");
    assertThat(said(status.getListeners().get(1).getConditions(), "Programmed"))
        .isEqualTo("False/Invalid");
  }

  @Test
  void aGatewayWithoutAListenerOfTheMeshIsNotAccepted() {
    GatewayStatus status =
        status(
            observed(
                "[{name: web, port: 80, protocol: HTTP}]",
                Optional.empty(),
                WaypointObservation.Instances.NONE));
    assertThat(said(status.getConditions(), "Accepted")).isEqualTo("False/ListenersNotValid");
    assertThat(said(status.getConditions(), "Programmed")).isEqualTo("False/Invalid");
  }

  @Test
  void aStatusThatStaysTheSameKeepsItsTimes() {
    WaypointObservation observed = observed(MESH, Optional.empty(), instances(2, 1));
    GatewayStatus first = GatewayReport.of(null, observed, NOW);
    assertThat(GatewayReport.of(GatewayReport.ours(first), observed, NOW.plusSeconds(60)))
        .isEqualTo(first);
  }

  @Test
  void aListenerCountsItsRoutesAlsoWhereItIsNotServed() {
    GatewayStatus status =
        status(
            observed(
                "[{name: mesh, port: 15008, protocol: HBONE}, {name: web, port: 80, protocol:"
                    + " HTTP}]",
                Optional.empty(),
                instances(1, 1),
                new WaypointFacts(Map.of("mesh", 2, "web", 1), List.of())));
    assertThat(status.getListeners())
        .extracting(ListenerStatus::getAttachedRoutes)
        .containsExactly(2, 1);
  }

  @Test
  void whatEnvoyDoesNotTakeIsSaidAndTheWaypointStaysUsable() {
    GatewayStatus good = status(observed(MESH, Optional.empty(), instances(1, 1)));
    assertThat(condition(good.getConditions(), "ambit.dev/Configured").getStatus())
        .isEqualTo("True");
    GatewayStatus bad =
        status(
            observed(
                MESH,
                Optional.empty(),
                instances(1, 1),
                new WaypointFacts(Map.of(), List.of("Listener \"main\": no such thing"))));
    Condition configured = condition(bad.getConditions(), "ambit.dev/Configured");
    assertThat(configured.getStatus()).isEqualTo("False");
    assertThat(configured.getReason()).isEqualTo("Rejected");
    assertThat(configured.getMessage()).contains("Listener \"main\": no such thing");
    assertThat(condition(bad.getConditions(), "Programmed").getStatus()).isEqualTo("True");
    assertThat(bad.getAddresses()).containsExactly(ADDRESS);
  }
}
