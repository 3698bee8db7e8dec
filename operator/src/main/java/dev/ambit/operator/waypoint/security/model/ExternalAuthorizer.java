package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.Duration;
import dev.ambit.api.AuthorizerRequestBody;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.api.GrpcAuthorizer;
import dev.ambit.api.HttpAuthorizer;
import dev.ambit.api.ProviderTimeout;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.core.v3.ApiVersion;
import io.envoyproxy.envoy.config.core.v3.GrpcService;
import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HttpUri;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.AuthorizationRequest;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.AuthorizationResponse;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.BufferSettings;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.ExtAuthz;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.HttpService;
import io.envoyproxy.envoy.type.matcher.v3.ListStringMatcher;
import io.envoyproxy.envoy.type.matcher.v3.MetadataMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ValueMatcher;
import io.envoyproxy.envoy.type.v3.HttpStatus;
import io.envoyproxy.envoy.type.v3.StatusCode;
import java.util.List;
import java.util.Optional;

/**
 * The filter that asks an external authorizer, about those requests that the filter before it has
 * found.
 *
 * @param backend where it is asked
 */
record ExternalAuthorizer(ExtAuthz filter, Backend backend) {
  /** Of the filter that finds the requests; its verdict goes under this name into metadata. */
  static final String STAT_PREFIX = "ambit_custom_";

  private static final String CLIENT_HEADER = "x-forwarded-client-cert";

  /** The client, whom the connection to the authorizer cannot show. */
  private static final String CLIENT =
      "By=%FILTER_STATE("
          + FilterState.LOCAL_PRINCIPAL
          + ":PLAIN)%;URI=%FILTER_STATE("
          + FilterState.PEER_PRINCIPAL
          + ":PLAIN)%";

  /** What came of a provider: the filter, or why there is none. */
  sealed interface Result {
    /** It can be asked. */
    record Found(ExternalAuthorizer authorizer) implements Result {}

    /** It cannot. */
    record Missing(String why) implements Result {}
  }

  static Result of(String provider, SecuritySettings settings, MeshServices services) {
    Optional<ExtensionProvider> found = settings.provider(provider);
    if (found.isEmpty()) {
      return new Result.Missing(
          "spec.extensionProviders of the AmbientMesh has no provider \"" + provider + "\"");
    }
    GrpcAuthorizer grpc = found.get().envoyExtAuthzGrpc();
    if (grpc != null) {
      return ProviderService.backend(
              services, grpc.service(), grpc.port(), PortProtocol.GRPC, settings.rootNamespace())
          .<Result>map(backend -> new Result.Found(overGrpc(grpc, backend)))
          .orElseGet(() -> missing(provider, grpc.service(), grpc.port()));
    }
    HttpAuthorizer http = found.get().envoyExtAuthzHttp();
    if (http != null) {
      return ProviderService.backend(
              services, http.service(), http.port(), PortProtocol.HTTP, settings.rootNamespace())
          .<Result>map(backend -> new Result.Found(overHttp(http, backend)))
          .orElseGet(() -> missing(provider, http.service(), http.port()));
    }
    return new Result.Missing("provider \"" + provider + "\" is no external authorizer");
  }

  private static Result missing(String provider, String service, int port) {
    return new Result.Missing(
        "provider \""
            + provider
            + "\" is at "
            + service
            + ", port "
            + port
            + ", and the mesh has no such service and port");
  }

  private static ExternalAuthorizer overGrpc(GrpcAuthorizer grpc, Backend backend) {
    ExtAuthz.Builder filter =
        common(grpc.failOpen(), grpc.statusOnError(), grpc.clearRouteCache())
            .setGrpcService(
                GrpcService.newBuilder()
                    .setEnvoyGrpc(
                        GrpcService.EnvoyGrpc.newBuilder()
                            .setClusterName(backend.clusterName())
                            // Without it the authority would be the cluster's name, which is none.
                            .setAuthority(backend.service().hostname()))
                    .setTimeout(timeout(grpc.timeout()))
                    .addInitialMetadata(client()));
    body(grpc.includeRequestBodyInCheck()).ifPresent(filter::setWithRequestBody);
    return new ExternalAuthorizer(filter.build(), backend);
  }

  private static ExternalAuthorizer overHttp(HttpAuthorizer http, Backend backend) {
    AuthorizationRequest.Builder request =
        AuthorizationRequest.newBuilder().addHeadersToAdd(client());
    http.includeAdditionalHeadersInCheck().entrySet().stream()
        .sorted(java.util.Map.Entry.comparingByKey())
        .forEach(
            header ->
                request.addHeadersToAdd(
                    HeaderValue.newBuilder()
                        .setKey(header.getKey())
                        // A value is a value, and no format.
                        .setValue(header.getValue().replace("%", "%%"))));
    AuthorizationResponse.Builder response = AuthorizationResponse.newBuilder();
    names(http.headersToUpstreamOnAllow()).ifPresent(response::setAllowedUpstreamHeaders);
    names(http.headersToDownstreamOnDeny()).ifPresent(response::setAllowedClientHeaders);
    names(http.headersToDownstreamOnAllow()).ifPresent(response::setAllowedClientHeadersOnSuccess);
    HttpService.Builder service =
        HttpService.newBuilder()
            .setServerUri(
                HttpUri.newBuilder()
                    .setUri("http://" + backend.service().hostname() + ":" + http.port())
                    .setCluster(backend.clusterName())
                    .setTimeout(timeout(http.timeout())))
            .setAuthorizationRequest(request)
            .setAuthorizationResponse(response);
    String pathPrefix = http.pathPrefix();
    if (pathPrefix != null) {
      service.setPathPrefix(pathPrefix);
    }
    ExtAuthz.Builder filter =
        common(http.failOpen(), http.statusOnError(), http.clearRouteCache())
            .setHttpService(service);
    names(http.includeRequestHeadersInCheck()).ifPresent(filter::setAllowedHeaders);
    body(http.includeRequestBodyInCheck()).ifPresent(filter::setWithRequestBody);
    return new ExternalAuthorizer(filter.build(), backend);
  }

  private static ExtAuthz.Builder common(
      boolean failOpen, int statusOnError, boolean clearRouteCache) {
    StatusCode status = StatusCode.forNumber(statusOnError);
    return ExtAuthz.newBuilder()
        .setTransportApiVersion(ApiVersion.V3)
        .setFailureModeAllow(failOpen)
        .setStatusOnError(
            HttpStatus.newBuilder().setCode(status == null ? StatusCode.Forbidden : status))
        .setClearRouteCache(clearRouteCache)
        // What it answers must not become headers that no server would take.
        .setValidateMutations(true)
        .setFilterEnabledMetadata(
            MetadataMatcher.newBuilder()
                .setFilter("envoy.filters.http.rbac")
                .addPath(
                    MetadataMatcher.PathSegment.newBuilder()
                        .setKey(STAT_PREFIX + "shadow_engine_result"))
                .setValue(
                    ValueMatcher.newBuilder()
                        .setStringMatch(Matchers.string(new TextMatch.Exact("denied", false)))));
  }

  private static HeaderValue client() {
    return HeaderValue.newBuilder().setKey(CLIENT_HEADER).setValue(CLIENT).build();
  }

  private static Duration timeout(String text) {
    java.time.Duration timeout = ProviderTimeout.parse(text);
    return Duration.newBuilder()
        .setSeconds(timeout.getSeconds())
        .setNanos(timeout.getNano())
        .build();
  }

  private static Optional<BufferSettings> body(
      @org.jspecify.annotations.Nullable AuthorizerRequestBody body) {
    return Optional.ofNullable(body)
        .map(
            settings ->
                BufferSettings.newBuilder()
                    .setMaxRequestBytes(settings.maxRequestBytes())
                    .setAllowPartialMessage(settings.allowPartialMessage())
                    .setPackAsBytes(settings.packAsBytes())
                    .build());
  }

  /** Headers by name, with a star at either end; their case is of no account. */
  private static Optional<ListStringMatcher> names(List<String> names) {
    if (names.isEmpty()) {
      return Optional.empty();
    }
    ListStringMatcher.Builder list = ListStringMatcher.newBuilder();
    names.forEach(
        name ->
            Values.Form.of(name)
                .ifPresent(form -> list.addPatterns(Matchers.string(form.match(true)))));
    return list.getPatternsCount() == 0 ? Optional.empty() : Optional.of(list.build());
  }
}
