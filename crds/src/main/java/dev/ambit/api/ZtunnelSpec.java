package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The proxy of each node. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ZtunnelSpec(
    @JsonPropertyDescription("Image of the ztunnel.") @Default("ghcr.io/ambit-mesh/ztunnel:0.1.0")
        String image,
    @JsonPropertyDescription("When the node pulls the image.") @Default("IfNotPresent")
        ImagePullPolicy imagePullPolicy,
    @JsonPropertyDescription("Resources of the ztunnel's container.")
        @Nullable ResourceRequirements resources,
    @JsonPropertyDescription("Environment variables, added to or replacing Ambit's own.")
        List<EnvVar> env,
    @JsonPropertyDescription("Log level: error, warn, info, debug or trace.") @Default("info")
        LogLevel logLevel,
    @JsonPropertyDescription(
            "How many seconds a ztunnel that is replaced may go on serving the connections it has.")
        @Default("30")
        @Min(1)
        @Max(86400)
        Integer terminationGracePeriodSeconds) {

  static final ZtunnelSpec DEFAULTS = new ZtunnelSpec(null, null, null, null, null, null);

  public ZtunnelSpec(
      @Nullable String image,
      @Nullable ImagePullPolicy imagePullPolicy,
      @Nullable ResourceRequirements resources,
      @Nullable List<EnvVar> env,
      @Nullable LogLevel logLevel,
      @Nullable Integer terminationGracePeriodSeconds) {
    this.image = image == null ? "ghcr.io/ambit-mesh/ztunnel:0.1.0" : image;
    this.imagePullPolicy =
        imagePullPolicy == null ? ImagePullPolicy.IF_NOT_PRESENT : imagePullPolicy;
    this.resources = resources;
    this.env = env == null ? List.of() : List.copyOf(env);
    this.logLevel = logLevel == null ? LogLevel.INFO : logLevel;
    this.terminationGracePeriodSeconds =
        terminationGracePeriodSeconds == null ? 30 : terminationGracePeriodSeconds;
  }
}
