package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.BoolValue;
import com.google.protobuf.Struct;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.route.model.ConnectionShare;
import dev.ambit.operator.waypoint.security.model.PathHandling;
import dev.ambit.operator.waypoint.security.model.Slot;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryMetadata;
import dev.ambit.operator.waypoint.traffic.model.ConnectionPolicy;
import dev.ambit.operator.waypoint.traffic.model.HttpRules;
import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption;
import io.envoyproxy.envoy.config.core.v3.Http1ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.Metadata;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.Cors;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.HTTPFault;
import io.envoyproxy.envoy.extensions.filters.http.stateful_session.v3.StatefulSession;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.Rds;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import java.util.List;
import java.util.stream.Stream;

/**
 * The filter chains of services and pods. They are thin and seldom change: what changes often, as
 * routes and policies, is in resources of its own, since editing a chain ends its connections.
 */
final class Chains {
  /** What a share leads to that leads nowhere: connections to it are closed. */
  private static final String NO_CLUSTER = "none";

  /** How Istio's waypoints tell the server who the client was. */
  private static final String CLIENT_HEADER = "x-forwarded-client-cert";

  private Chains() {}

  /**
   * A chain for requests.
   *
   * @param slots the name by which its policies' resources go
   */
  static FilterChain http(String name, String slots, ChainTelemetry telemetry, Struct metadata) {
    return http(name, slots, telemetry, metadata, Stream.of());
  }

  static FilterChain http(
      String name, String slots, ChainTelemetry telemetry, Struct metadata, Stream<Filter> before) {
    HttpConnectionManager.Builder manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix(Envoy.statPrefix(name))
            // The inner connection's remote address is the client's, so that this gives an honest
            // x-forwarded-for, and drops what clients would tell Envoy by its own headers.
            .setUseRemoteAddress(BoolValue.of(true))
            .setForwardClientCertDetails(HttpConnectionManager.ForwardClientCertDetails.SANITIZE)
            .setServerHeaderTransformation(
                HttpConnectionManager.ServerHeaderTransformation.PASS_THROUGH)
            // Streams may be silent for as long as both ends like.
            .setStreamIdleTimeout(Envoy.ZERO)
            .setHttpProtocolOptions(Http1ProtocolOptions.newBuilder().setAcceptHttp10(true))
            .addUpgradeConfigs(
                HttpConnectionManager.UpgradeConfig.newBuilder().setUpgradeType("websocket"))
            .setRds(Rds.newBuilder().setConfigSource(Envoy.ADS).setRouteConfigName(name));
    PathHandling.apply(manager);
    telemetry.applyTo(manager);
    manager
        .addAllHttpFilters(Slot.filters(slots))
        // Idle until a route switches them on.
        .addHttpFilters(Envoy.httpFilter("envoy.filters.http.cors", Cors.getDefaultInstance()))
        .addHttpFilters(
            Envoy.httpFilter("envoy.filters.http.fault", HTTPFault.getDefaultInstance()))
        .addHttpFilters(
            Envoy.httpFilter(
                "envoy.filters.http.stateful_session", StatefulSession.getDefaultInstance()))
        .addHttpFilters(Envoy.router());
    return chain(
        name,
        Stream.concat(
            before, Stream.of(Envoy.filter(Envoy.HTTP_CONNECTION_MANAGER, manager.build()))),
        metadata);
  }

  /** A chain for connections; it has some weight. */
  static FilterChain tcp(
      String name,
      List<ConnectionShare> shares,
      ConnectionPolicy policy,
      ChainTelemetry telemetry,
      Struct metadata) {
    TcpProxy.Builder proxy = proxy(name, telemetry);
    policy.applyTo(proxy);
    List<ConnectionShare> weighted = shares.stream().filter(share -> share.weight() > 0).toList();
    if (weighted.size() == 1) {
      proxy.setCluster(cluster(weighted.getFirst()));
    } else {
      TcpProxy.WeightedCluster.Builder clusters = TcpProxy.WeightedCluster.newBuilder();
      for (ConnectionShare share : weighted) {
        clusters.addClusters(
            TcpProxy.WeightedCluster.ClusterWeight.newBuilder()
                .setName(cluster(share))
                .setWeight(share.weight()));
      }
      proxy.setWeightedClusters(clusters);
    }
    return chain(name, Stream.of(Envoy.filter(Envoy.TCP_PROXY, proxy.build())), metadata);
  }

  static FilterChain tcp(
      String name,
      String cluster,
      ChainTelemetry telemetry,
      Struct metadata,
      Stream<Filter> before) {
    return chain(
        name,
        Stream.concat(
            before,
            Stream.of(
                Envoy.filter(Envoy.TCP_PROXY, proxy(name, telemetry).setCluster(cluster).build()))),
        metadata);
  }

  private static TcpProxy.Builder proxy(String name, ChainTelemetry telemetry) {
    TcpProxy.Builder proxy =
        TcpProxy.newBuilder().setStatPrefix(Envoy.statPrefix(name)).setIdleTimeout(Envoy.ZERO);
    telemetry.applyTo(proxy);
    return proxy;
  }

  private static String cluster(ConnectionShare share) {
    return share.backend().map(backend -> backend.clusterName()).orElse(NO_CLUSTER);
  }

  static boolean leadsSomewhere(List<ConnectionShare> shares) {
    return shares.stream().anyMatch(share -> share.weight() > 0);
  }

  static FilterChain chain(String name, Stream<Filter> filters, Struct metadata) {
    FilterChain.Builder chain = FilterChain.newBuilder().setName(name);
    filters.forEach(chain::addFilters);
    if (metadata.getFieldsCount() > 0) {
      chain.setMetadata(
          Metadata.newBuilder().putFilterMetadata(TelemetryMetadata.NAMESPACE, metadata));
    }
    return chain.build();
  }

  static RouteConfiguration routes(String name, List<VirtualHost> virtualHosts) {
    return RouteConfiguration.newBuilder()
        .setName(name)
        // Envoy's default is four kilobytes.
        .setMaxDirectResponseBodySizeBytes(Envoy.number(HttpRules.LONGEST_BODY))
        .addAllVirtualHosts(virtualHosts)
        .addRequestHeadersToAdd(
            HeaderValueOption.newBuilder()
                .setAppendAction(HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD)
                .setHeader(
                    HeaderValue.newBuilder()
                        .setKey(CLIENT_HEADER)
                        .setValue(
                            "By=%FILTER_STATE("
                                + FilterState.LOCAL_PRINCIPAL
                                + ":PLAIN)%;URI=%FILTER_STATE("
                                + FilterState.PEER_PRINCIPAL
                                + ":PLAIN)%")))
        .build();
  }
}
