package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import org.jspecify.annotations.Nullable;

/** What a namespace wants of its waypoints. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record EnrollmentWaypoint(
    @JsonPropertyDescription(
            "At stage L7, the name of the Gateway in this namespace that its traffic goes through. One"
                + " that is there is used as it is; else the operator makes it, and takes it away again"
                + " when the namespace leaves stage L7.")
        @Default("waypoint")
        @Size(min = 1, max = 63)
        @Pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        String name,
    @JsonPropertyDescription(
            "What traffic a Gateway that the operator makes is for: that to services, to workloads'"
                + " own addresses, or all.")
        @JsonProperty("for")
        @Default("service")
        WaypointFor traffic,
    @JsonPropertyDescription(
            "ConfigMap in this namespace with the parameters of a Gateway that the operator makes, such"
                + " as replicas and resources. Absent: the AmbientMesh's spec.waypoint.")
        @Size(min = 1, max = 253)
        @Nullable String parameters,
    @JsonPropertyDescription(
            "What becomes of traffic to this namespace's services and pods while the waypoint that"
                + " they are bound to cannot be used: it is refused (Reject), or it goes to them"
                + " without the waypoint (Bypass), and what that was to enforce is not. Absent:"
                + " Reject. The label ambit.dev/waypoint-when-missing on the namespace or the object"
                + " wins over it.")
        @Nullable WhenMissing whenMissing) {

  static final EnrollmentWaypoint DEFAULTS = new EnrollmentWaypoint(null, null, null, null);

  public EnrollmentWaypoint(
      @Nullable String name,
      @Nullable WaypointFor traffic,
      @Nullable String parameters,
      @Nullable WhenMissing whenMissing) {
    this.name = name == null ? "waypoint" : name;
    this.traffic = traffic == null ? WaypointFor.SERVICE : traffic;
    this.parameters = parameters;
    this.whenMissing = whenMissing;
  }
}
