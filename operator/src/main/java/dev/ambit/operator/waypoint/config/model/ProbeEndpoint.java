package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.waypoint.model.WaypointProbe;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import java.util.ArrayList;
import java.util.List;

/**
 * Where a probe's tunnel leads: a listener inside that answers one request. Its route comes with
 * those of all tunnels, which Envoy is sent last, so that an answer says that it has all of its
 * configuration.
 */
final class ProbeEndpoint {
  /** The listener, and the cluster that leads to it. */
  static final String NAME = "probe";

  private ProbeEndpoint() {}

  static Listener listener() {
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix(NAME)
            .setCodecType(HttpConnectionManager.CodecType.HTTP1)
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName(NAME)
                    .addVirtualHosts(
                        VirtualHost.newBuilder()
                            .setName(NAME)
                            .addDomains("*")
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(RouteMatch.newBuilder().setPath(WaypointProbe.PATH))
                                    .setDirectResponse(
                                        DirectResponseAction.newBuilder()
                                            .setStatus(200)
                                            .setBody(
                                                DataSource.newBuilder()
                                                    .setInlineString(WaypointProbe.ANSWER))))))
            .addHttpFilters(Envoy.router())
            .build();
    return Tunnels.inner(NAME)
        .addFilterChains(
            FilterChain.newBuilder()
                .setName(NAME)
                .addFilters(Envoy.filter(Envoy.HTTP_CONNECTION_MANAGER, manager)))
        .build();
  }

  /**
   * The same routes, with the probe's.
   *
   * @param namespace whether what the namespace's enrollment leads through the waypoint is in them
   */
  static RouteConfiguration with(RouteConfiguration routes, boolean namespace) {
    List<String> domains = new ArrayList<>();
    domains.add(WaypointProbe.AUTHORITY);
    if (namespace) {
      domains.add(WaypointProbe.NAMESPACE_AUTHORITY);
    }
    // Twice the same, and Envoy would take none of them.
    routes.getVirtualHostsList().forEach(host -> domains.removeAll(host.getDomainsList()));
    return domains.isEmpty()
        ? routes
        : routes.toBuilder()
            .addVirtualHosts(TunnelRoutes.to(NAME, NAME).addAllDomains(domains))
            .build();
  }
}
