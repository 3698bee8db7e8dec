package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What {@code ambit status} shows. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record StatusView(
    @Nullable MeshStatus mesh,
    List<NodeStatus> nodes,
    List<FleetStatus> fleets,
    List<EnrollmentStatus> enrollments,
    List<WaypointStatus> waypoints) {

  /** From what was read. */
  public static StatusView of(
      Optional<JsonNode> mesh,
      List<NodeStatus> nodes,
      List<JsonNode> fleets,
      List<JsonNode> enrollments,
      List<JsonNode> gateways) {
    return new StatusView(
        mesh.map(MeshStatus::of).orElse(null),
        nodes,
        fleets.stream()
            .map(FleetStatus::of)
            .sorted(Comparator.comparing(FleetStatus::name))
            .toList(),
        enrollments.stream()
            .map(EnrollmentStatus::of)
            .sorted(
                Comparator.comparing(EnrollmentStatus::namespace)
                    .thenComparing(EnrollmentStatus::name))
            .toList(),
        WaypointStatus.among(gateways));
  }

  /** Whether nothing is stuck: what is still on its way is not. */
  @JsonIgnore
  public boolean isFine() {
    return mesh != null
        && mesh.ready()
        && enrollments.stream().noneMatch(EnrollmentStatus::isStalled)
        && fleets.stream().noneMatch(FleetStatus::isStalled)
        && nodes.stream().allMatch(node -> node.ztunnelReady() && node.agentReady());
  }
}
