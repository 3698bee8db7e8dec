package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** A step of a rollout. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RolloutStep(
    @JsonPropertyDescription(
            "The share of the pods that are in the mesh then, such as 10%; rounded up to whole"
                + " pods.")
        @Required
        @Size(min = 2, max = 4)
        @ValidationRule(
            value = "self.matches('^([1-9][0-9]?|100)%$')",
            message = "a share is a whole number from 1 to 100 with a percent sign, such as 10%")
        String pods,
    @JsonPropertyDescription(
            "How long they are to be in the mesh before the next step, such as 90s or 1h30m; at"
                + " most 168h. Absent: no longer than it takes to prove them.")
        @Size(min = 2, max = 12)
        @ValidationRule(
            value =
                "self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && duration(self) <="
                    + " duration('168h')",
            message = "a bake time is a duration of at most 168h, such as 90s or 1h30m")
        @Nullable String bake) {

  /** The share, from 1 to 100. */
  @JsonIgnore
  public int percent() {
    return Integer.parseInt(pods.substring(0, pods.length() - 1));
  }

  /** The bake time. */
  @JsonIgnore
  public Duration bakeTime() {
    return bake == null ? Duration.ZERO : Duration.parse("PT" + bake.toUpperCase(Locale.ROOT));
  }
}
