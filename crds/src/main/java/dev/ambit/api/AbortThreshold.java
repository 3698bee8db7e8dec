package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** How many connections may fail before a rollout is given up. */
public record AbortThreshold(
    @JsonPropertyDescription(
            "The share of connections to and from the namespace's captured pods that may fail in a"
                + " step, such as 1% or 0.5%. What policies deny counts as failed.")
        @Default("1%")
        @Size(min = 2, max = 6)
        @ValidationRule(
            value = "self.matches('^(100|[0-9]{1,2}([.][0-9]{1,2})?)%$')",
            message = "a share is a number from 0 to 100 with a percent sign, such as 0.5%")
        String failedConnections,
    @JsonPropertyDescription(
            "How many connections a step must have seen before their share of failures counts.")
        @Default("50")
        @Min(1)
        @Max(1_000_000)
        Integer minimumConnections) {

  public AbortThreshold(@Nullable String failedConnections, @Nullable Integer minimumConnections) {
    this.failedConnections = failedConnections == null ? "1%" : failedConnections;
    this.minimumConnections = minimumConnections == null ? 50 : minimumConnections;
  }

  /** Whether so many failures of so many connections are too many. */
  @JsonIgnore
  public boolean isExceeded(long failed, long connections) {
    double percent =
        Double.parseDouble(failedConnections.substring(0, failedConnections.length() - 1));
    return connections >= minimumConnections && failed * 100.0 > percent * connections;
  }
}
