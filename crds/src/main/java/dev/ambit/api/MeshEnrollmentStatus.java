package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.kubernetes.api.model.Condition;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Where a namespace is in the mesh, as observed on its pods. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MeshEnrollmentStatus(
    @JsonPropertyDescription("The generation of the spec that this status tells of.")
        @Nullable Long observedGeneration,
    @JsonPropertyDescription("Where the namespace is, as observed and not as asked for.")
        @Nullable Stage stage,
    @JsonPropertyDescription("What is happening: Capturing, Leaving, Done or Stalled.")
        @Nullable Phase phase,
    @JsonPropertyDescription("The namespace's pods.") @Nullable PodCounts pods,
    @JsonPropertyDescription("Pods that are left out, and why; at most 50 of them.")
        List<ExcludedPod> excluded,
    @JsonPropertyDescription(
            "Ready, Reconciling and Stalled, as kstatus defines them, and Captured.")
        List<Condition> conditions,
    @JsonPropertyDescription("The last ten transitions, the newest first.")
        List<Transition> history) {

  public MeshEnrollmentStatus {
    excluded = excluded == null ? List.of() : List.copyOf(excluded);
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
    history = history == null ? List.of() : List.copyOf(history);
  }
}
