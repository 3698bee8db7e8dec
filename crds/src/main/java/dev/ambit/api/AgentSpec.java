package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The agent of each node. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record AgentSpec(
    @JsonPropertyDescription("Image of the node agent.") @Default("ghcr.io/ambit-mesh/agent:0.1.0")
        String image,
    @JsonPropertyDescription("When the node pulls the image.") @Default("IfNotPresent")
        ImagePullPolicy imagePullPolicy,
    @JsonPropertyDescription("Resources of the agent's container.")
        @Nullable ResourceRequirements resources,
    @JsonPropertyDescription("Environment variables, added to or replacing Ambit's own.")
        List<EnvVar> env,
    @JsonPropertyDescription("Log level: error, warn, info, debug or trace.") @Default("info")
        LogLevel logLevel) {

  static final AgentSpec DEFAULTS = new AgentSpec(null, null, null, null, null);

  public AgentSpec(
      @Nullable String image,
      @Nullable ImagePullPolicy imagePullPolicy,
      @Nullable ResourceRequirements resources,
      @Nullable List<EnvVar> env,
      @Nullable LogLevel logLevel) {
    this.image = image == null ? "ghcr.io/ambit-mesh/agent:0.1.0" : image;
    this.imagePullPolicy =
        imagePullPolicy == null ? ImagePullPolicy.IF_NOT_PRESENT : imagePullPolicy;
    this.resources = resources;
    this.env = env == null ? List.of() : List.copyOf(env);
    this.logLevel = logLevel == null ? LogLevel.INFO : logLevel;
  }
}
