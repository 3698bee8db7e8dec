package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.Conditions;
import java.util.List;

/**
 * Where the namespaces of a ClusterMeshEnrollment are.
 *
 * @param current whether the status tells of the spec as it is
 */
public record FleetStatus(
    String name,
    String asked,
    String wave,
    boolean current,
    int selected,
    int done,
    int moving,
    int waiting,
    int failed,
    int held,
    int leaving,
    String ready,
    String reason,
    String message,
    List<Held> heldNamespaces,
    List<ConditionLine> conditions) {

  /** A namespace that does not move. */
  public record Held(String namespace, String reason, String message) {}

  /** Reads a ClusterMeshEnrollment. */
  public static FleetStatus of(JsonNode fleet) {
    JsonNode status = fleet.path("status");
    JsonNode namespaces = status.path("namespaces");
    String stage = Objects.text(fleet, "/spec/template/stage");
    var ready = Objects.condition(fleet, Conditions.READY);
    return new FleetStatus(
        Objects.name(fleet),
        stage.isEmpty() ? "L4" : stage,
        Objects.text(status, "/wave/summary"),
        fleet.at("/metadata/generation").asLong() == status.path("observedGeneration").asLong(),
        namespaces.path("selected").asInt(),
        namespaces.path("done").asInt(),
        namespaces.path("moving").asInt(),
        namespaces.path("waiting").asInt(),
        namespaces.path("failed").asInt(),
        namespaces.path("held").asInt(),
        namespaces.path("leaving").asInt(),
        ready.map(ConditionLine::status).orElse("Unknown"),
        ready.map(ConditionLine::reason).orElse("NoStatus"),
        ready.map(ConditionLine::message).orElse("The operator has not looked at it yet."),
        Objects.items(status, "/held").stream()
            .map(
                each ->
                    new Held(
                        Objects.text(each, "/namespace"),
                        Objects.text(each, "/reason"),
                        Objects.text(each, "/message")))
            .toList(),
        Objects.conditions(fleet));
  }

  @JsonIgnore
  public boolean isStalled() {
    return conditions.stream()
        .anyMatch(each -> each.type().equals(Conditions.STALLED) && each.holds());
  }

  /** Whether all of its namespaces are where they should be. */
  public boolean atGoal() {
    return "True".equals(ready);
  }
}
