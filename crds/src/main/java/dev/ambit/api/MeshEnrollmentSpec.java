package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Where a namespace should be in the mesh. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MeshEnrollmentSpec(
    @JsonPropertyDescription(
            "Where this namespace should be: None (outside the mesh), L4, or L7 (bound to a"
                + " waypoint).")
        @Default("L4")
        Stage stage,
    @JsonPropertyDescription(
            "How the namespace's pods are taken into the mesh. Absent: all at once. Pods leave it"
                + " all at once.")
        @Nullable RolloutSpec rollout,
    @JsonPropertyDescription(
            "Whether this namespace's captured pods accept plaintext. Absent: what the AmbientMesh"
                + " says. Of it and a PeerAuthentication of the namespace the stricter one holds; a"
                + " PeerAuthentication that selects pods wins over both. Strict takes effect once"
                + " all pods are captured and proven; StrictWhenQuiet once no plaintext has arrived"
                + " for quietFor besides, and then stays so.")
        @Nullable EnrollmentMtls mtls,
    @JsonPropertyDescription(
            "For how long no plaintext must have arrived at any pod of the namespace before"
                + " StrictWhenQuiet refuses it, such as 90s or 36h; at most 720h. Absent: 24h. With"
                + " UDP in the mesh at least 10 minutes.")
        @Size(min = 2, max = 12)
        @ValidationRule(
            value =
                "self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && duration(self) >="
                    + " duration('1s') && duration(self) <= duration('720h')",
            message = "quietFor is a duration from 1s to 720h, such as 90s or 36h")
        @Nullable String quietFor,
    @JsonPropertyDescription(
            "Whether UDP of this namespace's pods is carried in the mesh, where the AmbientMesh"
                + " carries any. With false it is left as it is, plain, and neither policies nor"
                + " strict mTLS hold for it. Absent: as the AmbientMesh says.")
        @Nullable Boolean udp,
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
      @Nullable EnrollmentMtls mtls,
      @Nullable String quietFor,
      @Nullable Boolean udp,
      @Nullable EnrollmentWaypoint waypoint,
      @Nullable Boolean paused,
      @Nullable Boolean dryRun) {
    this.stage = stage == null ? Stage.L4 : stage;
    this.rollout = rollout;
    this.mtls = mtls;
    this.quietFor = quietFor;
    this.udp = udp;
    this.waypoint = waypoint;
    this.paused = paused != null && paused;
    this.dryRun = dryRun != null && dryRun;
  }

  /** One that asks for nothing but a stage. */
  public static MeshEnrollmentSpec of(@Nullable Stage stage) {
    return new MeshEnrollmentSpec(stage, null, null, null, null, null, null, null);
  }

  /** For how long no plaintext must have arrived, where a missing one is a day. */
  @JsonIgnore
  public Duration effectiveQuietFor() {
    return quietFor == null
        ? Duration.ofHours(24)
        : Duration.parse("PT" + quietFor.toUpperCase(Locale.ROOT));
  }

  /** The same, paused or not. */
  public MeshEnrollmentSpec withPaused(boolean now) {
    return new MeshEnrollmentSpec(stage, rollout, mtls, quietFor, udp, waypoint, now, dryRun);
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
