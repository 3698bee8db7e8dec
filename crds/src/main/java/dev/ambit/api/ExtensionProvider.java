package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/**
 * Something outside the mesh's own parts that policies and Telemetry objects refer to by its name.
 * Which field is set says what it is, as in Istio's mesh configuration.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@ValidationRule(
    value =
        "(has(self.envoyExtAuthzGrpc) ? 1 : 0) + (has(self.envoyExtAuthzHttp) ? 1 : 0)"
            + " + (has(self.envoyFileAccessLog) ? 1 : 0) + (has(self.envoyOtelAls) ? 1 : 0)"
            + " + (has(self.opentelemetry) ? 1 : 0) == 1",
    message = "a provider is exactly one thing: set one field besides its name")
public record ExtensionProvider(
    @JsonPropertyDescription("By which policies name it; no two providers have the same.")
        @Required
        @Size(min = 1, max = 253)
        String name,
    @JsonPropertyDescription("An external authorizer that speaks Envoy's gRPC protocol.")
        @Nullable GrpcAuthorizer envoyExtAuthzGrpc,
    @JsonPropertyDescription("An external authorizer that is asked with plain HTTP requests.")
        @Nullable HttpAuthorizer envoyExtAuthzHttp,
    @JsonPropertyDescription("Access logs to a file of the proxy's container.")
        @Nullable FileAccessLog envoyFileAccessLog,
    @JsonPropertyDescription("Access logs to a collector, over OTLP.")
        @Nullable OtlpAccessLog envoyOtelAls,
    @JsonPropertyDescription("Spans to a collector, over OTLP.")
        @Nullable OtlpTracing opentelemetry) {

  /** An external authorizer. */
  public ExtensionProvider(
      String name,
      @Nullable GrpcAuthorizer envoyExtAuthzGrpc,
      @Nullable HttpAuthorizer envoyExtAuthzHttp) {
    this(name, envoyExtAuthzGrpc, envoyExtAuthzHttp, null, null, null);
  }
}
