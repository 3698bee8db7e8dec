package dev.ambit.operator.waypoint.config.model;

import static dev.ambit.operator.waypoint.testing.EnvoyParts.extension;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.loopback;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.networkFilter;

import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.extensions.bootstrap.internal_listener.v3.InternalListener;
import io.envoyproxy.envoy.extensions.filters.http.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import java.util.List;

/** An Envoy that takes tunnels as a waypoint without services does, but for TLS. */
public final class ProbedEnvoy {
  /** The listener that takes tunnels. */
  public static final String LISTENER = "tunnels";

  private ProbedEnvoy() {}

  /**
   * Its configuration.
   *
   * @param namespace whether it knows what its namespace's enrollment leads through it
   */
  public static Bootstrap bootstrap(boolean namespace) {
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix(LISTENER)
            .setCodecType(HttpConnectionManager.CodecType.HTTP2)
            .setHttp2ProtocolOptions(Http2ProtocolOptions.newBuilder().setAllowConnect(true))
            .addUpgradeConfigs(
                HttpConnectionManager.UpgradeConfig.newBuilder().setUpgradeType("CONNECT"))
            .setRouteConfig(ProbeEndpoint.with(new TunnelRoutes().build(), namespace))
            .addHttpFilters(
                Envoy.httpFilter(
                    "envoy.filters.http.set_filter_state",
                    Config.newBuilder()
                        .addAllOnRequestHeaders(
                            List.of(
                                Envoy.shared(FilterState.DESTINATION, "%REQ(:AUTHORITY)%"),
                                Envoy.shared(Envoy.CLIENT_ADDRESS, "%DOWNSTREAM_REMOTE_ADDRESS%")))
                        .build()))
            .addHttpFilters(Envoy.router())
            .build();
    Bootstrap.Builder bootstrap =
        Bootstrap.newBuilder()
            .setAdmin(Admin.newBuilder().setAddress(loopback(0)))
            .addBootstrapExtensions(
                extension(
                    "envoy.bootstrap.internal_listener", InternalListener.getDefaultInstance()));
    bootstrap
        .getStaticResourcesBuilder()
        .addListeners(
            Listener.newBuilder()
                .setName(LISTENER)
                .setAddress(loopback(0))
                .addFilterChains(
                    FilterChain.newBuilder()
                        .addFilters(networkFilter(Envoy.HTTP_CONNECTION_MANAGER, manager))))
        .addListeners(ProbeEndpoint.listener())
        .addAllClusters(
            Tunnels.clusters(new Tunnels.Settings(List.of("cluster.local"))).stream()
                .filter(cluster -> cluster.getName().equals(ProbeEndpoint.NAME))
                .toList());
    return bootstrap.build();
  }
}
