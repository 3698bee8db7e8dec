package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Where a fleet's namespaces are. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ClusterMeshEnrollmentStatus(
    @JsonPropertyDescription("The generation of the spec that this status tells of.")
        @Nullable Long observedGeneration,
    @JsonPropertyDescription("How many namespaces are where.") @Nullable NamespaceCounts namespaces,
    @JsonPropertyDescription(
            "How many of the fleet's MeshEnrollments are in each phase, as their status has it.")
        Map<String, Integer> phases,
    @JsonPropertyDescription("How far the waves are.") @Nullable WaveStatus wave,
    @JsonPropertyDescription("Namespaces that are on their way, in their order; at most 50.")
        List<MovingNamespace> moving,
    @JsonPropertyDescription(
            "Namespaces that do not move and are not done, and why, those that failed first; at"
                + " most 50.")
        List<HeldNamespace> held,
    @JsonPropertyDescription(
            "Ready, Reconciling and Stalled, as kstatus defines them, and Conflict while another"
                + " fleet has some of the namespaces.")
        List<Condition> conditions) {

  public ClusterMeshEnrollmentStatus {
    phases = phases == null ? Map.of() : new TreeMap<>(phases);
    moving = moving == null ? List.of() : List.copyOf(moving);
    held = held == null ? List.of() : List.copyOf(held);
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
  }

  /** The status of an object that nobody has looked at. */
  public static final ClusterMeshEnrollmentStatus NOTHING_YET =
      new ClusterMeshEnrollmentStatus(null, null, Map.of(), null, List.of(), List.of(), List.of());
}
