package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import org.jspecify.annotations.Nullable;

/** What a namespace wants of its waypoints. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
    value = "!(has(self.replicas) && has(self.autoscaling))",
    message = "give replicas for a fixed number, or autoscaling, and not both")
public record EnrollmentWaypoint(
    @JsonPropertyDescription(
            "At stage L7, the name of the Gateway in this namespace that its traffic goes through."
                + " One that is there is used as it is; else the operator makes it, and takes it"
                + " away again when the namespace leaves stage L7.")
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
            "ConfigMap in this namespace with further parameters of a Gateway that the operator"
                + " makes. What it says comes after replicas, autoscaling and resources, and wins.")
        @Size(min = 1, max = 253)
        @Nullable String parameters,
    @JsonPropertyDescription(
            "How many instances a waypoint has whose Gateway the operator makes. Absent: as"
                + " autoscaling says, else the AmbientMesh's spec.waypoint.")
        @Min(1)
        @Max(1000)
        @Nullable Integer replicas,
    @JsonPropertyDescription(
            "How the number of its instances follows the load. Absent: as replicas says, else the"
                + " AmbientMesh's spec.waypoint.")
        @Nullable WaypointAutoscaling autoscaling,
    @JsonPropertyDescription(
            "Resources of its instances' Envoy, in place of those that they would have. Absent: the"
                + " AmbientMesh's spec.waypoint.resources.")
        @Nullable ResourceRequirements resources,
    @JsonPropertyDescription(
            "What becomes of traffic to this namespace's services and pods while the waypoint that"
                + " they are bound to cannot be used: it is refused (Reject), or it goes to them"
                + " without the waypoint (Bypass), and what that was to enforce is not. Absent:"
                + " Reject. The label ambit.dev/waypoint-when-missing on the namespace or the"
                + " object wins over it.")
        @Nullable WhenMissing whenMissing) {

  static final EnrollmentWaypoint DEFAULTS = named(null);

  /** One of that name, else as it is by default. */
  public static EnrollmentWaypoint named(@Nullable String name) {
    return new EnrollmentWaypoint(name, null, null, null, null, null, null);
  }

  public EnrollmentWaypoint(
      @Nullable String name,
      @Nullable WaypointFor traffic,
      @Nullable String parameters,
      @Nullable Integer replicas,
      @Nullable WaypointAutoscaling autoscaling,
      @Nullable ResourceRequirements resources,
      @Nullable WhenMissing whenMissing) {
    this.name = name == null ? "waypoint" : name;
    this.traffic = traffic == null ? WaypointFor.SERVICE : traffic;
    this.parameters = parameters;
    this.replicas = replicas;
    this.autoscaling = autoscaling;
    this.resources = resources;
    this.whenMissing = whenMissing;
  }
}
