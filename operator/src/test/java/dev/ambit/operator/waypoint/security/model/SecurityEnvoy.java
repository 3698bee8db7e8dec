package dev.ambit.operator.waypoint.security.model;

import static dev.ambit.operator.waypoint.testing.EnvoyParts.httpFilter;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.loopback;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import com.google.protobuf.Duration;
import com.google.protobuf.Value;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.bootstrap.v3.LayeredRuntime;
import io.envoyproxy.envoy.config.bootstrap.v3.RuntimeLayer;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.http.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A configuration of Envoy with the filters of policies, each on a listener of its own that answers
 * requests itself. Who the client is stands in the header {@code test-peer}, and where it goes in
 * {@code test-destination}.
 */
final class SecurityEnvoy {
  static final String PEER = "test-peer";
  static final String DESTINATION = "test-destination";

  private final Bootstrap.Builder bootstrap =
      Bootstrap.newBuilder()
          .setAdmin(Admin.newBuilder().setAddress(loopback(0)))
          .setLayeredRuntime(
              LayeredRuntime.newBuilder()
                  .addLayers(
                      RuntimeLayer.newBuilder()
                          .setName("regular expressions as waypoints have them")
                          .setStaticLayer(
                              com.google.protobuf.Struct.newBuilder()
                                  .putFields(
                                      "re2.max_program_size.error_level",
                                      Value.newBuilder().setNumberValue(65536).build())
                                  .putFields(
                                      "re2.max_program_size.warn_level",
                                      Value.newBuilder().setNumberValue(65536).build()))));

  /** Adds a listener with those filters. */
  SecurityEnvoy listener(String name, List<TypedExtensionConfig> filters) {
    HttpConnectionManager.Builder manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix(name)
            .setUseRemoteAddress(BoolValue.of(true))
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .addVirtualHosts(
                        VirtualHost.newBuilder()
                            .setName("all")
                            .addDomains("*")
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(RouteMatch.newBuilder().setPrefix("/"))
                                    .setDirectResponse(
                                        DirectResponseAction.newBuilder()
                                            .setStatus(200)
                                            .setBody(DataSource.newBuilder().setInlineString("ok")))
                                    .addResponseHeadersToAdd(echo("x-path", "%REQ(:PATH)%"))
                                    .addResponseHeadersToAdd(echo("x-claim", "%REQ(X-CLAIM)%"))
                                    .addResponseHeadersToAdd(echo("x-payload", "%REQ(X-PAYLOAD)%"))
                                    .addResponseHeadersToAdd(
                                        echo("x-authorization", "%REQ(AUTHORIZATION)%"))
                                    .addResponseHeadersToAdd(echo("x-added", "%REQ(X-ADDED)%"))
                                    .addResponseHeadersToAdd(
                                        echo(
                                            "x-audit",
                                            "%DYNAMIC_METADATA(envoy.filters.http.rbac:"
                                                + ServiceSecurity.AUDIT
                                                + "shadow_effective_policy_id)%"))
                                    .addResponseHeadersToAdd(
                                        echo(
                                            "x-dry-run",
                                            "%DYNAMIC_METADATA(envoy.filters.http.rbac:"
                                                + ServiceSecurity.DRY_RUN_DENY
                                                + "shadow_effective_policy_id)%"))
                                    .addResponseHeadersToAdd(
                                        echo(
                                            "x-verdict",
                                            "%FILTER_STATE("
                                                + ConnectSecurity.DETECTED_VERDICT
                                                + ":PLAIN)%")))));
    PathHandling.apply(manager);
    manager.addHttpFilters(
        httpFilter(
            "identity",
            Config.newBuilder()
                .addOnRequestHeaders(
                    state(
                        FilterState.PEER_PRINCIPAL,
                        FilterState.HASHABLE_STRING,
                        "%REQ(" + PEER + ")%"))
                .addOnRequestHeaders(
                    state(
                        FilterState.LOCAL_PRINCIPAL,
                        FilterState.HASHABLE_STRING,
                        "spiffe://cluster.local/ns/default/sa/waypoint"))
                .addOnRequestHeaders(
                    state(FilterState.DESTINATION, "", "%REQ(" + DESTINATION + ")%"))
                .build()));
    filters.forEach(
        each ->
            manager.addHttpFilters(
                HttpFilter.newBuilder()
                    .setName(each.getName())
                    .setTypedConfig(each.getTypedConfig())));
    manager.addHttpFilters(httpFilter("router", Router.getDefaultInstance()));
    bootstrap
        .getStaticResourcesBuilder()
        .addListeners(
            Listener.newBuilder()
                .setName(name)
                .setAddress(loopback(0))
                .addFilterChains(
                    FilterChain.newBuilder()
                        .addFilters(
                            Filter.newBuilder()
                                .setName("http")
                                .setTypedConfig(Any.pack(manager.build())))));
    return this;
  }

  SecurityEnvoy clusters(List<Cluster> clusters) {
    bootstrap.getStaticResourcesBuilder().addAllClusters(clusters);
    return this;
  }

  /** A cluster of that name at a port of loopback. */
  SecurityEnvoy cluster(String name, int port, boolean http2) {
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(name)
            .setType(Cluster.DiscoveryType.STATIC)
            .setConnectTimeout(Duration.newBuilder().setSeconds(2))
            .setLoadAssignment(
                io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment.newBuilder()
                    .setClusterName(name)
                    .addEndpoints(
                        io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints.newBuilder()
                            .addLbEndpoints(
                                io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint.newBuilder()
                                    .setEndpoint(
                                        io.envoyproxy.envoy.config.endpoint.v3.Endpoint.newBuilder()
                                            .setAddress(loopback(port))))));
    if (http2) {
      cluster.putTypedExtensionProtocolOptions(
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          Any.pack(
              io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions.newBuilder()
                  .setExplicitHttpConfig(
                      io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions
                          .ExplicitHttpConfig.newBuilder()
                          .setHttp2ProtocolOptions(
                              io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions
                                  .getDefaultInstance()))
                  .build()));
    }
    return clusters(List.of(cluster.build()));
  }

  Bootstrap bootstrap() {
    return bootstrap.build();
  }

  EnvoyProcess start(Path folder) {
    return EnvoyProcess.start(folder, bootstrap()).awaitReady();
  }

  private static HeaderValueOption echo(String name, String format) {
    return HeaderValueOption.newBuilder()
        .setHeader(HeaderValue.newBuilder().setKey(name).setValue(format))
        .build();
  }

  private static FilterStateValue state(String key, String factory, String format) {
    return FilterStateValue.newBuilder()
        .setObjectKey(key)
        .setFactoryKey(factory)
        .setSkipIfEmpty(true)
        .setFormatString(
            SubstitutionFormatString.newBuilder()
                .setOmitEmptyValues(true)
                .setTextFormatSource(DataSource.newBuilder().setInlineString(format)))
        .build();
  }

  /** The filters of a service, without those that only ECDS can bring. */
  static List<TypedExtensionConfig> filters(ServiceSecurity security) {
    return new ArrayList<>(security.slots());
  }
}
