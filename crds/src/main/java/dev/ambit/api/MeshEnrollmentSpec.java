package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import org.jspecify.annotations.Nullable;

/** Where a namespace should be in the mesh. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MeshEnrollmentSpec(
    @JsonPropertyDescription(
            "Where this namespace should be: None (outside the mesh), L4, or L7 (bound to a waypoint).")
        @Default("L4")
        Stage stage,
    @JsonPropertyDescription(
            "How the namespace's pods are taken into the mesh. Absent: all at once. Pods leave it all"
                + " at once.")
        @Nullable RolloutSpec rollout,
    @JsonPropertyDescription(
            "Whether this namespace's captured pods accept plaintext. Absent: what the AmbientMesh"
                + " says. A PeerAuthentication of the namespace or a workload wins over it. Strict"
                + " takes effect once all pods are captured and proven.")
        @Nullable MtlsMode mtls,
    @JsonPropertyDescription("What this namespace wants of its waypoints.")
        @Nullable EnrollmentWaypoint waypoint,
    @JsonPropertyDescription(
            "Whether the enrollment stays where it is: no step begins, and no pod leaves.")
        @Default("false")
        Boolean paused,
    @JsonPropertyDescription(
            "Whether only to check and to plan. Nothing is touched; status.findings and status.plan"
                + " say what would be.")
        @Default("false")
        Boolean dryRun) {

  /** Every field at its default. */
  public static final MeshEnrollmentSpec DEFAULTS = of(null);

  public MeshEnrollmentSpec(
      @Nullable Stage stage,
      @Nullable RolloutSpec rollout,
      @Nullable MtlsMode mtls,
      @Nullable EnrollmentWaypoint waypoint,
      @Nullable Boolean paused,
      @Nullable Boolean dryRun) {
    this.stage = stage == null ? Stage.L4 : stage;
    this.rollout = rollout;
    this.mtls = mtls;
    this.waypoint = waypoint;
    this.paused = paused != null && paused;
    this.dryRun = dryRun != null && dryRun;
  }

  /** One that asks for nothing but a stage. */
  public static MeshEnrollmentSpec of(@Nullable Stage stage) {
    return new MeshEnrollmentSpec(stage, null, null, null, null, null);
  }

  /** The same, paused or not. */
  public MeshEnrollmentSpec withPaused(boolean now) {
    return new MeshEnrollmentSpec(stage, rollout, mtls, waypoint, now, dryRun);
  }

  /** What is wanted of waypoints, where a missing one wants the defaults. */
  @JsonIgnore
  public EnrollmentWaypoint effectiveWaypoint() {
    return waypoint == null ? EnrollmentWaypoint.DEFAULTS : waypoint;
  }

  /** The rollout, where a missing one is all at once. */
  @JsonIgnore
  public RolloutSpec effectiveRollout() {
    return rollout == null ? RolloutSpec.AT_ONCE : rollout;
  }
}
