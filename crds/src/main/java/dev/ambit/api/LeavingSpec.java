package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import org.jspecify.annotations.Nullable;

/** How pods leave the mesh. */
public record LeavingSpec(
    @JsonPropertyDescription(
            "How many seconds connections that are in the tunnel may go on after their pod has left;"
                + " what is open then is closed.")
        @Default("3600")
        @Min(0)
        @Max(604800)
        Integer drainSeconds) {

  static final LeavingSpec DEFAULTS = new LeavingSpec(null);

  public LeavingSpec(@Nullable Integer drainSeconds) {
    this.drainSeconds = drainSeconds == null ? 3600 : drainSeconds;
  }
}
