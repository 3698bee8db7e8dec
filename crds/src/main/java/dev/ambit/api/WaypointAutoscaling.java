package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** How the number of a waypoint's instances follows the load. */
@ValidationRule(
    value = "self.minReplicas <= self.maxReplicas",
    message = "minReplicas must not be greater than maxReplicas")
public record WaypointAutoscaling(
    @JsonPropertyDescription("The fewest instances.") @Default("2") @Min(1) @Max(1000)
        Integer minReplicas,
    @JsonPropertyDescription("The most instances.") @Default("10") @Min(1) @Max(1000)
        Integer maxReplicas,
    @JsonPropertyDescription(
            "The share of the CPU that instances request, in percent, which their number is to keep"
                + " in use.")
        @Default("80")
        @Min(1)
        @Max(1000)
        Integer targetCpuUtilization) {

  /** Every field at its default. */
  public static final WaypointAutoscaling DEFAULTS = new WaypointAutoscaling(null, null, null);

  public WaypointAutoscaling(
      @Nullable Integer minReplicas,
      @Nullable Integer maxReplicas,
      @Nullable Integer targetCpuUtilization) {
    this.minReplicas = minReplicas == null ? 2 : minReplicas;
    this.maxReplicas = maxReplicas == null ? 10 : maxReplicas;
    this.targetCpuUtilization = targetCpuUtilization == null ? 80 : targetCpuUtilization;
  }
}
