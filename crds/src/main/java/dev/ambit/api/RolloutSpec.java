package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How a namespace's pods are taken into the mesh, a share after another. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RolloutSpec(
    @JsonPropertyDescription(
            "The shares of the namespace's pods, growing, the last of them 100%. Each is taken once"
                + " the one before has been in the mesh for its bake time. Absent: all at once.")
        @Size(min = 1, max = 20)
        @ValidationRule(
            value = "self[size(self) - 1].pods == '100%'",
            message = "the last step must be for 100% of the pods")
        @ValidationRule(
            value = "self.map(s, int(s.pods.substring(0, size(s.pods) - 1))).isSorted()",
            message = "each step must be for at least as many pods as the one before")
        List<RolloutStep> steps,
    @JsonPropertyDescription(
            "When the rollout is given up. Absent: failed connections do not stop it.")
        @Nullable AbortThreshold abortAbove,
    @JsonPropertyDescription(
            "What becomes of the pods that are in the mesh when the rollout is given up: they leave"
                + " it again (Rollback), or stay while no more are taken (Hold).")
        @Default("Rollback")
        OnAbort onAbort) {

  /** All pods at once. */
  @JsonIgnore
  public static final RolloutSpec AT_ONCE =
      new RolloutSpec(List.of(new RolloutStep("100%", null)), null, null);

  public RolloutSpec(
      @Nullable List<RolloutStep> steps,
      @Nullable AbortThreshold abortAbove,
      @Nullable OnAbort onAbort) {
    this.steps =
        steps == null || steps.isEmpty()
            ? List.of(new RolloutStep("100%", null))
            : List.copyOf(steps);
    this.abortAbove = abortAbove;
    this.onAbort = onAbort == null ? OnAbort.ROLLBACK : onAbort;
  }
}
