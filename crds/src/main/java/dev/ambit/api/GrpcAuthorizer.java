package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import org.jspecify.annotations.Nullable;

/** An external authorizer that speaks Envoy's gRPC protocol. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record GrpcAuthorizer(
    @JsonPropertyDescription(
            "Host name of its Service or ServiceEntry, or NAMESPACE/HOST where several namespaces"
                + " have one.")
        @Required
        @Size(min = 1, max = 317)
        String service,
    @JsonPropertyDescription("Port of the service.") @Required @Min(1) @Max(65535) Integer port,
    @JsonPropertyDescription("How long to wait for its answer, such as 500ms or 10s.")
        @Default("10s")
        @Size(min = 2, max = 20)
        @ValidationRule(value = ProviderTimeout.RULE, message = ProviderTimeout.MESSAGE)
        String timeout,
    @JsonPropertyDescription(
            "Whether requests pass when it does not answer. By default they are refused.")
        @Default("false")
        Boolean failOpen,
    @JsonPropertyDescription("HTTP status with which requests are refused when it does not answer.")
        @Default("403")
        @Min(400)
        @Max(599)
        Integer statusOnError,
    @JsonPropertyDescription(
            "Whether the route is chosen anew where the authorizer changed the request's headers.")
        @Default("false")
        Boolean clearRouteCache,
    @JsonPropertyDescription("Sends it the request's body too.")
        @Nullable AuthorizerRequestBody includeRequestBodyInCheck) {

  public GrpcAuthorizer(
      String service,
      Integer port,
      @Nullable String timeout,
      @Nullable Boolean failOpen,
      @Nullable Integer statusOnError,
      @Nullable Boolean clearRouteCache,
      @Nullable AuthorizerRequestBody includeRequestBodyInCheck) {
    this.service = service;
    this.port = port;
    this.timeout = timeout == null ? "10s" : timeout;
    this.failOpen = failOpen != null && failOpen;
    this.statusOnError = statusOnError == null ? 403 : statusOnError;
    this.clearRouteCache = clearRouteCache != null && clearRouteCache;
    this.includeRequestBodyInCheck = includeRequestBodyInCheck;
  }
}
