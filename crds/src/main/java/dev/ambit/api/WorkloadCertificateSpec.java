package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.time.Duration;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** The certificates that workloads get. */
public record WorkloadCertificateSpec(
    @JsonPropertyDescription(
            "How long a workload's certificate is valid, such as 24h or 1h30m; at least 1m. It is"
                + " renewed at half of that.")
        @Default("24h")
        @Size(min = 2, max = 20)
        @ValidationRule(
            value =
                "self.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$') && duration(self) >= duration('1m')",
            message =
                "the lifetime must be a duration of at least one minute, such as 24h or 1h30m")
        String ttl) {

  static final WorkloadCertificateSpec DEFAULTS = new WorkloadCertificateSpec(null);

  public WorkloadCertificateSpec(@Nullable String ttl) {
    this.ttl = ttl == null ? "24h" : ttl;
  }

  /** The lifetime. */
  @JsonIgnore
  public Duration lifetime() {
    return Duration.parse("PT" + ttl.toUpperCase(Locale.ROOT));
  }
}
