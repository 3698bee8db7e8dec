package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Namespaces of a fleet that move together, before those of later waves. */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
    value = "!(has(self.namespaces) && has(self.share))",
    message = "a wave has a selector or a share, not both")
public record Wave(
    @JsonPropertyDescription("The wave's name, for people and the status.")
        @Required
        @Size(min = 1, max = 63)
        @Pattern("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
        String name,
    @JsonPropertyDescription(
            "Which of the fleet's namespaces it takes, by their labels. Absent, as the share is:"
                + " all that are left.")
        @Nullable NamespaceSelector namespaces,
    @JsonPropertyDescription(
            "So much of the fleet's namespaces, rounded up, are in this wave and those before it,"
                + " such as 10%; a smaller share than before takes none. Which ones is decided by a"
                + " number made of a namespace's name.")
        @Size(min = 2, max = 4)
        @ValidationRule(
            value = "self.matches('^([1-9][0-9]?|100)%$')",
            message = "a share is a whole number from 1 to 100 with a percent sign, such as 10%")
        @Nullable String share,
    @JsonPropertyDescription(
            "How long the wave's namespaces are to be where they should be before the next wave"
                + " begins, such as 30m or 24h; at most 168h. Absent: no time.")
        @Size(min = 2, max = 12)
        @ValidationRule(
            value =
                "self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && duration(self) <="
                    + " duration('168h')",
            message = "a bake time is a duration of at most 168h, such as 90s or 1h30m")
        @Nullable String bake) {

  /** The share in percent; 100 where none is written. */
  @JsonIgnore
  public int percent() {
    return share == null ? 100 : Integer.parseInt(share.substring(0, share.length() - 1));
  }

  /** The bake time. */
  @JsonIgnore
  public Duration bakeTime() {
    return bake == null ? Duration.ZERO : Duration.parse("PT" + bake.toUpperCase(Locale.ROOT));
  }
}
