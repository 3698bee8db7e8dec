package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import org.jspecify.annotations.Nullable;

/** What waypoints are like where their own Gateways' parameters do not say otherwise. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
    value = "!(has(self.replicas) && has(self.autoscaling))",
    message = "give replicas for a fixed number, or autoscaling, and not both")
public record WaypointSpec(
    @JsonPropertyDescription(
            "Image with Envoy at /usr/local/bin/envoy; one of the Envoy project's own will do.")
        @Default("docker.io/envoyproxy/envoy:distroless-v1.40.0")
        @Size(min = 1)
        String image,
    @JsonPropertyDescription("When the node pulls the image.") @Default("IfNotPresent")
        ImagePullPolicy imagePullPolicy,
    @JsonPropertyDescription(
            "How many instances a waypoint has. Absent: as many as autoscaling decides.")
        @Min(1)
        @Max(1000)
        @Nullable Integer replicas,
    @JsonPropertyDescription(
            "How the number of instances follows the load, where replicas does not fix it.")
        @Nullable WaypointAutoscaling autoscaling,
    @JsonPropertyDescription("Resources of Envoy's container.")
        @Nullable ResourceRequirements resources,
    @JsonPropertyDescription(
            "For how many seconds at most an instance that is to end goes on serving the connections"
                + " it has. It ends as soon as it has none.")
        @Default("60")
        @Min(1)
        @Max(86400)
        Integer drainSeconds,
    @JsonPropertyDescription("Log level: error, warn, info, debug or trace.") @Default("warn")
        LogLevel logLevel,
    @JsonPropertyDescription(
            "How many waypoints may change at once when these defaults or Ambit itself change; 0 for"
                + " all. A waypoint that does not become ready holds up those after it.")
        @Default("0")
        @Min(0)
        @Max(10000)
        Integer upgradesAtOnce,
    @JsonPropertyDescription(
            "Whether Gateways of class istio-waypoint are served too, where no other controller does.")
        @Default("true")
        Boolean serveIstioClass) {

  /** Every field at its default. */
  public static final WaypointSpec DEFAULTS =
      new WaypointSpec(null, null, null, null, null, null, null, null, null);

  public WaypointSpec(
      @Nullable String image,
      @Nullable ImagePullPolicy imagePullPolicy,
      @Nullable Integer replicas,
      @Nullable WaypointAutoscaling autoscaling,
      @Nullable ResourceRequirements resources,
      @Nullable Integer drainSeconds,
      @Nullable LogLevel logLevel,
      @Nullable Integer upgradesAtOnce,
      @Nullable Boolean serveIstioClass) {
    this.image = image == null ? "docker.io/envoyproxy/envoy:distroless-v1.40.0" : image;
    this.imagePullPolicy =
        imagePullPolicy == null ? ImagePullPolicy.IF_NOT_PRESENT : imagePullPolicy;
    this.replicas = replicas;
    this.autoscaling = autoscaling;
    this.resources = resources;
    this.drainSeconds = drainSeconds == null ? 60 : drainSeconds;
    this.logLevel = logLevel == null ? LogLevel.WARN : logLevel;
    this.upgradesAtOnce = upgradesAtOnce == null ? 0 : upgradesAtOnce;
    this.serveIstioClass = serveIstioClass == null || serveIstioClass;
  }
}
