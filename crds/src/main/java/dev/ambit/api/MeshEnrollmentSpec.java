package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import org.jspecify.annotations.Nullable;

/** Where a namespace should be in the mesh. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MeshEnrollmentSpec(
    @JsonPropertyDescription("Where this namespace should be: None (outside the mesh) or L4.")
        @Default("L4")
        Stage stage,
    @JsonPropertyDescription(
            "Whether this namespace's captured pods accept plaintext. Absent: what the AmbientMesh"
                + " says. A PeerAuthentication of the namespace or a workload wins over it.")
        @Nullable MtlsMode mtls,
    @JsonPropertyDescription("What this namespace wants of its waypoints.")
        @Nullable EnrollmentWaypoint waypoint) {

  static final MeshEnrollmentSpec DEFAULTS = new MeshEnrollmentSpec(null, null, null);

  public MeshEnrollmentSpec(
      @Nullable Stage stage, @Nullable MtlsMode mtls, @Nullable EnrollmentWaypoint waypoint) {
    this.stage = stage == null ? Stage.L4 : stage;
    this.mtls = mtls;
    this.waypoint = waypoint;
  }
}
