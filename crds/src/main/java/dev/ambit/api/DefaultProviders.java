package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Size;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Providers of telemetry that are used where no Telemetry object names any. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record DefaultProviders(
    @JsonPropertyDescription(
            "Where access logs go. Every mesh has the provider envoy, which is Istio's line of text on"
                + " the container's output. By default there are none.")
        @Default("[]")
        @Size(max = 8)
        List<String> accessLogging,
    @JsonPropertyDescription("Where spans go: the first of them. By default nothing is traced.")
        @Default("[]")
        @Size(max = 8)
        List<String> tracing,
    @JsonPropertyDescription(
            "What keeps metrics. Every mesh has the provider prometheus, which keeps them to be"
                + " scraped.")
        @Default("[\"prometheus\"]")
        @Size(max = 8)
        List<String> metrics) {

  static final DefaultProviders DEFAULTS = new DefaultProviders(null, null, null);

  public DefaultProviders(
      @Nullable List<String> accessLogging,
      @Nullable List<String> tracing,
      @Nullable List<String> metrics) {
    this.accessLogging = accessLogging == null ? List.of() : List.copyOf(accessLogging);
    this.tracing = tracing == null ? List.of() : List.copyOf(tracing);
    this.metrics = metrics == null ? List.of("prometheus") : List.copyOf(metrics);
  }
}
