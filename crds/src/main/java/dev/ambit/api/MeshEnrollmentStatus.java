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
    @JsonPropertyDescription(
            "What is happening: Preflight, Capturing, Proving, Baking, BindingWaypoint,"
                + " UnbindingWaypoint, RollingBack, Leaving, Planned, Paused,"
                + " Done or Stalled.")
        @Nullable Phase phase,
    @JsonPropertyDescription("The namespace's pods.") @Nullable PodCounts pods,
    @JsonPropertyDescription("Pods that are left out, and why; at most 50 of them.")
        List<ExcludedPod> excluded,
    @JsonPropertyDescription(
            "What has been released of the spec, which node agents and the control plane go by."
                + " Absent on a mirror, on a dry run that has never been more, and on an object"
                + " that does not count.")
        @Nullable InForce inForce,
    @JsonPropertyDescription("How far the rollout is.") @Nullable RolloutStatus rollout,
    @JsonPropertyDescription("How far the binding to the waypoint is, at stage L7 and after it.")
        @Nullable WaypointStatus waypoint,
    @JsonPropertyDescription("How far strict mTLS is, where spec.mtls asks for it.")
        @Nullable MtlsStatus mtls,
    @JsonPropertyDescription("What preflight has found, errors first; at most 50.")
        List<Finding> findings,
    @JsonPropertyDescription("What would change, while the spec asks for a dry run.")
        @Nullable EnrollmentPlan plan,
    @JsonPropertyDescription(
            "Ready, Reconciling and Stalled, as kstatus defines them, PreflightPassed, Captured,"
                + " Proven, at stage L7 WaypointReady, PoliciesEnforced, and, where spec.mtls is"
                + " given, MtlsStrict.")
        List<Condition> conditions,
    @JsonPropertyDescription("The last ten transitions, the newest first.")
        List<Transition> history) {

  public MeshEnrollmentStatus {
    excluded = excluded == null ? List.of() : List.copyOf(excluded);
    findings = findings == null ? List.of() : List.copyOf(findings);
    conditions = conditions == null ? List.of() : List.copyOf(conditions);
    history = history == null ? List.of() : List.copyOf(history);
  }

  /** The status of an object that nobody has looked at. */
  public static final MeshEnrollmentStatus NOTHING_YET =
      new MeshEnrollmentStatus(
          null, null, null, null, List.of(), null, null, null, null, List.of(), null, List.of(),
          List.of());

  /** The same with that released. */
  public MeshEnrollmentStatus withInForce(@Nullable InForce released) {
    return new MeshEnrollmentStatus(
        observedGeneration,
        stage,
        phase,
        pods,
        excluded,
        released,
        rollout,
        waypoint,
        mtls,
        findings,
        plan,
        conditions,
        history);
  }
}
