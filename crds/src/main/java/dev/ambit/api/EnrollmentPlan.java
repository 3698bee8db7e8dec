package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What an enrollment would change, from where the namespace is. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record EnrollmentPlan(
    @JsonPropertyDescription("Where the namespace would be.") Stage stage,
    @JsonPropertyDescription("Pods that would be taken into the mesh.") int join,
    @JsonPropertyDescription("Pods that would leave the mesh.") int leave,
    @JsonPropertyDescription("Pods that would stay as they are, inside or outside.") int stay,
    @JsonPropertyDescription("The pods that would be taken in, by name; at most 50 of them.")
        List<String> joining,
    @JsonPropertyDescription("The pods that would leave, by name; at most 50 of them.")
        List<String> leaving,
    @JsonPropertyDescription("How many pods would be in the mesh after each step of the rollout.")
        List<Integer> steps,
    @JsonPropertyDescription(
            "Policies that bear on the namespace's pods, and who enforces each; at most 50 of them.")
        List<PolicyPlan> policies,
    @JsonPropertyDescription("How many more such policies there are.") int morePolicies,
    @JsonPropertyDescription("The waypoint that stage L7 would take.")
        @Nullable WaypointPlan waypoint,
    @JsonPropertyDescription("Connections of the namespace's pods that are open now.")
        @Nullable ConnectionPlan connections) {

  public EnrollmentPlan {
    joining = joining == null ? List.of() : List.copyOf(joining);
    leaving = leaving == null ? List.of() : List.copyOf(leaving);
    steps = steps == null ? List.of() : List.copyOf(steps);
    policies = policies == null ? List.of() : List.copyOf(policies);
  }

  /** The same with what has to be asked for. */
  public EnrollmentPlan with(
      @Nullable WaypointPlan taken, @Nullable ConnectionPlan openConnections) {
    return new EnrollmentPlan(
        stage,
        join,
        leave,
        stay,
        joining,
        leaving,
        steps,
        policies,
        morePolicies,
        taken,
        openConnections);
  }
}
