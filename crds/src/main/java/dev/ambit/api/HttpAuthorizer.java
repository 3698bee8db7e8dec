package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An external authorizer that is asked with plain HTTP requests; 200 lets a request pass. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record HttpAuthorizer(
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
    @JsonPropertyDescription("Put before the path of the request when it is asked.")
        @Size(max = 1024)
        @ValidationRule(
            value = "self.startsWith('/') && !self.contains('?') && !self.contains('#')",
            message = "a path prefix begins with '/' and has no query and no fragment")
        @Nullable String pathPrefix,
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
    @JsonPropertyDescription(
            "Headers of the request that it is sent, besides Host, the method, the path,"
                + " Content-Length and Authorization: a name, 'prefix*' or '*suffix'.")
        @Size(max = 64)
        List<@Size(min = 1, max = 256) String> includeRequestHeadersInCheck,
    @JsonPropertyDescription("Headers that it is sent besides, with these values.")
        Map<String, String> includeAdditionalHeadersInCheck,
    @JsonPropertyDescription("Sends it the request's body too.")
        @Nullable AuthorizerRequestBody includeRequestBodyInCheck,
    @JsonPropertyDescription(
            "Headers of its answer that are put on the request when it lets it pass; those of the"
                + " same name are replaced.")
        @Size(max = 64)
        List<@Size(min = 1, max = 256) String> headersToUpstreamOnAllow,
    @JsonPropertyDescription(
            "Headers of its answer that the client gets when it refuses, besides its status. Absent:"
                + " all of them.")
        @Size(max = 64)
        List<@Size(min = 1, max = 256) String> headersToDownstreamOnDeny,
    @JsonPropertyDescription(
            "Headers of its answer that the client gets when it lets the request pass.")
        @Size(max = 64)
        List<@Size(min = 1, max = 256) String> headersToDownstreamOnAllow) {

  public HttpAuthorizer(
      String service,
      Integer port,
      @Nullable String timeout,
      @Nullable String pathPrefix,
      @Nullable Boolean failOpen,
      @Nullable Integer statusOnError,
      @Nullable Boolean clearRouteCache,
      @Nullable List<String> includeRequestHeadersInCheck,
      @Nullable Map<String, String> includeAdditionalHeadersInCheck,
      @Nullable AuthorizerRequestBody includeRequestBodyInCheck,
      @Nullable List<String> headersToUpstreamOnAllow,
      @Nullable List<String> headersToDownstreamOnDeny,
      @Nullable List<String> headersToDownstreamOnAllow) {
    this.service = service;
    this.port = port;
    this.timeout = timeout == null ? "10s" : timeout;
    this.pathPrefix = pathPrefix;
    this.failOpen = failOpen != null && failOpen;
    this.statusOnError = statusOnError == null ? 403 : statusOnError;
    this.clearRouteCache = clearRouteCache != null && clearRouteCache;
    this.includeRequestHeadersInCheck = copy(includeRequestHeadersInCheck);
    this.includeAdditionalHeadersInCheck =
        includeAdditionalHeadersInCheck == null
            ? Map.of()
            : Map.copyOf(includeAdditionalHeadersInCheck);
    this.includeRequestBodyInCheck = includeRequestBodyInCheck;
    this.headersToUpstreamOnAllow = copy(headersToUpstreamOnAllow);
    this.headersToDownstreamOnDeny = copy(headersToDownstreamOnDeny);
    this.headersToDownstreamOnAllow = copy(headersToDownstreamOnAllow);
  }

  private static List<String> copy(@Nullable List<String> list) {
    return list == null ? List.of() : List.copyOf(list);
  }
}
