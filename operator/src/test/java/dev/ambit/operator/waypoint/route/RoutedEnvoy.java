package dev.ambit.operator.waypoint.route;

import static dev.ambit.operator.waypoint.testing.EnvoyParts.httpFilter;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.loopback;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.networkFilter;

import com.google.protobuf.BoolValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.RegularExpression;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap.StaticResources;
import io.envoyproxy.envoy.config.bootstrap.v3.LayeredRuntime;
import io.envoyproxy.envoy.config.bootstrap.v3.RuntimeLayer;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.Cors;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.http.stateful_session.v3.StatefulSession;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.set_filter_state.v3.Config;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * A real Envoy that does with requests on loopback what a port's routes say: one listener for the
 * clients of each principal, and static clusters in place of the waypoint's.
 */
final class RoutedEnvoy implements AutoCloseable {
  private final EnvoyProcess envoy;

  /**
   * Starts it.
   *
   * @param endpoints of services, by their names
   */
  RoutedEnvoy(
      Path folder,
      HttpPortRoutes routes,
      Map<String, List<Upstream>> endpoints,
      List<String> principals) {
    StaticResources.Builder resources = StaticResources.newBuilder();
    for (Backend backend : routes.backends()) {
      resources.addClusters(
          cluster(backend, endpoints.getOrDefault(backend.service().name(), List.of())));
    }
    principals.forEach(principal -> resources.addListeners(listener(principal, routes)));
    envoy =
        EnvoyProcess.start(
                folder,
                Bootstrap.newBuilder()
                    .setAdmin(Admin.newBuilder().setAddress(loopback(0)))
                    .setStaticResources(resources)
                    .setLayeredRuntime(
                        LayeredRuntime.newBuilder()
                            .addLayers(
                                RuntimeLayer.newBuilder()
                                    .setName("static")
                                    .setStaticLayer(
                                        Struct.newBuilder()
                                            .putFields(
                                                "re2.max_program_size.error_level",
                                                Value.newBuilder()
                                                    .setNumberValue(
                                                        RegularExpression.LARGEST_PROGRAM)
                                                    .build()))))
                    .build())
            .awaitReady();
  }

  /** Where the clients of a principal call. */
  int port(String principal) throws IOException {
    return envoy.port(principal.replace(':', '_'));
  }

  private static Cluster cluster(Backend backend, List<Upstream> endpoints) {
    LocalityLbEndpoints.Builder locality = LocalityLbEndpoints.newBuilder();
    endpoints.forEach(
        upstream ->
            locality.addLbEndpoints(
                LbEndpoint.newBuilder()
                    .setEndpoint(Endpoint.newBuilder().setAddress(loopback(upstream.port())))));
    return Cluster.newBuilder()
        .setName(backend.clusterName())
        .setType(Cluster.DiscoveryType.STATIC)
        .setLoadAssignment(
            ClusterLoadAssignment.newBuilder()
                .setClusterName(backend.clusterName())
                .addEndpoints(locality))
        .build();
  }

  private static Listener listener(String principal, HttpPortRoutes routes) {
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix("test")
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName("test")
                    // As where routes come by xDS.
                    .setValidateClusters(BoolValue.of(false))
                    .addAllVirtualHosts(routes.virtualHosts()))
            .addHttpFilters(httpFilter("envoy.filters.http.cors", Cors.getDefaultInstance()))
            .addHttpFilters(
                httpFilter(
                    "envoy.filters.http.stateful_session", StatefulSession.getDefaultInstance()))
            .addHttpFilters(httpFilter("envoy.filters.http.router", Router.getDefaultInstance()))
            .build();
    Config state =
        Config.newBuilder()
            .addOnNewConnection(
                FilterStateValue.newBuilder()
                    .setObjectKey(FilterState.PEER_PRINCIPAL)
                    .setFactoryKey(FilterState.HASHABLE_STRING)
                    .setFormatString(
                        SubstitutionFormatString.newBuilder()
                            .setTextFormatSource(
                                DataSource.newBuilder().setInlineString(principal))))
            .build();
    return Listener.newBuilder()
        .setName(principal.replace(':', '_'))
        .setAddress(loopback(0))
        .addFilterChains(
            FilterChain.newBuilder()
                .addFilters(networkFilter("envoy.filters.network.set_filter_state", state))
                .addFilters(
                    networkFilter("envoy.filters.network.http_connection_manager", manager)))
        .build();
  }

  @Override
  public void close() {
    envoy.close();
  }
}
