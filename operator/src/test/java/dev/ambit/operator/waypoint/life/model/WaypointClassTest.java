package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.client.utils.Serialization;
import org.junit.jupiter.api.Test;

/** Whose waypoints Ambit makes. */
class WaypointClassTest {
  private static final String MANAGER = "ambit-operator";

  private static GatewayClass gatewayClass(String name, String controller, String more) {
    return Serialization.unmarshal(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata:
          name: %s
          managedFields: []
        spec: {controllerName: %s}
        %s
        """
            .formatted(name, controller, more),
        GatewayClass.class);
  }

  private static WaypointClass decide(GatewayClass gatewayClass, boolean istio, boolean serve) {
    return WaypointClass.of(gatewayClass, istio, serve, MANAGER);
  }

  @Test
  void itsOwnController() {
    GatewayClass large = gatewayClass("large-waypoints", WaypointClass.CONTROLLER, "");
    assertThat(decide(large, true, false)).isInstanceOf(WaypointClass.Served.class);
  }

  @Test
  void istiosClassWhereNothingTellsOfAnIstio() {
    GatewayClass istio = gatewayClass("istio-waypoint", WaypointClass.ISTIO_CONTROLLER, "");
    assertThat(decide(istio, false, true)).isInstanceOf(WaypointClass.Served.class);
    assertThat(decide(istio, true, true)).isInstanceOf(WaypointClass.Left.class);
    assertThat(decide(istio, false, false)).isInstanceOf(WaypointClass.Left.class);
  }

  @Test
  void notAClassThatSomebodyElseHasAccepted() {
    String accepted =
        "status: {conditions: [{type: Accepted, status: 'True', reason: Accepted, message: ''}]}";
    GatewayClass theirs = gatewayClass("istio-waypoint", WaypointClass.ISTIO_CONTROLLER, accepted);
    assertThat(decide(theirs, false, true)).isInstanceOf(WaypointClass.Left.class);

    GatewayClass pending =
        gatewayClass(
            "istio-waypoint",
            WaypointClass.ISTIO_CONTROLLER,
            "status: {conditions: [{type: Accepted, status: Unknown, reason: Pending, message:"
                + " ''}]}");
    assertThat(decide(pending, false, true)).isInstanceOf(WaypointClass.Served.class);
  }

  @Test
  void aClassThatItHasAcceptedItselfBefore() {
    GatewayClass ours =
        Serialization.unmarshal(
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: GatewayClass
            metadata:
              name: istio-waypoint
              managedFields:
              - manager: ambit-operator
                operation: Apply
                subresource: status
                fieldsType: FieldsV1
                fieldsV1: {"f:status": {"f:conditions": {}}}
            spec: {controllerName: istio.io/mesh-controller}
            status: {conditions: [{type: Accepted, status: 'True', reason: Accepted, message: ''}]}
            """,
            GatewayClass.class);
    assertThat(decide(ours, false, true)).isInstanceOf(WaypointClass.Served.class);
    assertThat(decide(ours, true, true)).isInstanceOf(WaypointClass.Left.class);
  }

  @Test
  void noneOfOtherControllers() {
    assertThat(decide(gatewayClass("nginx", "nginx.org/gateway", ""), false, true))
        .isInstanceOf(WaypointClass.Unrelated.class);
    assertThat(decide(gatewayClass("mine", WaypointClass.ISTIO_CONTROLLER, ""), false, true))
        .isInstanceOf(WaypointClass.Unrelated.class);
    assertThat(WaypointClass.of(null, false, true, MANAGER))
        .isInstanceOf(WaypointClass.Missing.class);
  }
}
