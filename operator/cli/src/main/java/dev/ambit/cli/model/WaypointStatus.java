package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.operator.waypoint.life.model.WaypointClass;
import java.util.List;

/** How a waypoint is: a Gateway of a class of waypoints. */
public record WaypointStatus(
    String namespace,
    String name,
    String gatewayClass,
    boolean programmed,
    String reason,
    String message,
    List<String> addresses) {

  /** Those among all Gateways that are waypoints. */
  public static List<WaypointStatus> among(List<JsonNode> gateways) {
    return gateways.stream()
        .filter(
            gateway ->
                WaypointClass.NAMES.contains(Objects.text(gateway, "/spec/gatewayClassName")))
        .map(WaypointStatus::of)
        .toList();
  }

  private static WaypointStatus of(JsonNode gateway) {
    var programmed = Objects.condition(gateway, "Programmed");
    return new WaypointStatus(
        Objects.namespace(gateway),
        Objects.name(gateway),
        Objects.text(gateway, "/spec/gatewayClassName"),
        programmed.filter(ConditionLine::holds).isPresent(),
        programmed.map(ConditionLine::reason).orElse("NoStatus"),
        programmed.map(ConditionLine::message).orElse("Nobody has looked at the Gateway yet."),
        Objects.items(gateway, "/status/addresses").stream()
            .map(address -> Objects.text(address, "/value"))
            .toList());
  }
}
