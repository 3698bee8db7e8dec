package dev.ambit.operator.waypoint.telemetry;

import static dev.ambit.operator.waypoint.testing.EnvoyParts.httpFilter;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.loopback;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.networkFilter;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.socket;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.protobuf.Struct;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.UnknownFieldSet;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.Scraping;
import dev.ambit.operator.waypoint.telemetry.model.SourceWorkload;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryMetadata;
import dev.ambit.operator.waypoint.telemetry.model.WaypointTelemetry;
import dev.ambit.protocol.workload.Workload;
import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.AsyncDataSource;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.EnvoyInternalAddress;
import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.Metadata;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.FilterChainMatch;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.listener.v3.ListenerFilter;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.extensions.bootstrap.internal_listener.v3.InternalListener;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.http.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.listener.original_dst.v3.OriginalDst;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport;
import io.envoyproxy.envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import io.envoyproxy.envoy.extensions.wasm.v3.PluginConfig;
import io.envoyproxy.envoy.extensions.wasm.v3.VmConfig;
import io.envoyproxy.envoy.extensions.wasm.v3.WasmService;
import java.util.Base64;

/**
 * A waypoint with these parts of telemetry and the rest as plain as can be, in one process with its
 * clients' node proxy: a listener for each of these ports, whose connections go through HBONE to
 * the port of that number at {@link #DESTINATION}.
 */
final class TelemetryEnvoy {
  static final String DESTINATION = "10.1.1.1";
  static final String CLIENT = "spiffe://cluster.local/ns/shop/sa/web";
  static final String WAYPOINT = "spiffe://cluster.local/ns/store/sa/waypoint";
  static final String SERVER = "spiffe://cluster.local/ns/store/sa/cart";
  static final String BAGGAGE =
      "k8s.cluster.name=west,k8s.namespace.name=shop,k8s.deployment.name=web-front,"
          + "service.name=web,service.version=v3,cloud.region=eu";

  private static final int STATS_EVICTION_INTERVAL = 42;

  private static final Http2ProtocolOptions CONNECT =
      Http2ProtocolOptions.newBuilder().setAllowConnect(true).build();

  private final Bootstrap.Builder bootstrap = Bootstrap.newBuilder();
  private final Listener.Builder main;

  TelemetryEnvoy(int tunnelPort) throws Exception {
    Identities identities = new Identities();
    bootstrap
        .setAdmin(Admin.newBuilder().setAddress(loopback(0)))
        .setStatsFlushInterval(seconds(1))
        .addBootstrapExtensions(
            TypedExtensionConfig.newBuilder()
                .setName("envoy.bootstrap.internal_listener")
                .setTypedConfig(Any.pack(InternalListener.getDefaultInstance())));
    bootstrap.getStaticResourcesBuilder().addListeners(terminate(tunnelPort, identities));
    bootstrap.getStaticResourcesBuilder().addClusters(tunnels(tunnelPort, identities));
    bootstrap.getStaticResourcesBuilder().addClusters(inner());
    main =
        Listener.newBuilder()
            .setName("main")
            .setInternalListener(Listener.InternalListenerConfig.getDefaultInstance())
            .addListenerFilters(
                ListenerFilter.newBuilder()
                    .setName("envoy.filters.listener.original_dst")
                    .setTypedConfig(Any.pack(OriginalDst.getDefaultInstance())));
  }

  /** A listener for clients whose ztunnel says that of them. */
  TelemetryEnvoy client(String name, int destinationPort, String baggage) {
    TcpProxy.TunnelingConfig.Builder tunnel =
        TcpProxy.TunnelingConfig.newBuilder().setHostname(DESTINATION + ":" + destinationPort);
    if (!baggage.isEmpty()) {
      tunnel.addHeadersToAdd(
          HeaderValueOption.newBuilder()
              .setHeader(HeaderValue.newBuilder().setKey("baggage").setValue(baggage)));
    }
    bootstrap
        .getStaticResourcesBuilder()
        .addListeners(
            Listener.newBuilder()
                .setName(name)
                .setAddress(loopback(0))
                .addFilterChains(
                    FilterChain.newBuilder()
                        .addFilters(
                            networkFilter(
                                "envoy.filters.network.tcp_proxy",
                                TcpProxy.newBuilder()
                                    .setStatPrefix(name)
                                    .setCluster("tunnels")
                                    .setTunnelingConfig(tunnel)
                                    .build()))));
    return this;
  }

  /** A chain for requests to a port; those under "/deny" are refused before they are routed. */
  TelemetryEnvoy http(int port, MeshService service, ChainTelemetry telemetry, String cluster) {
    HttpConnectionManager.Builder manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix("p" + port)
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName("r" + port)
                    .addVirtualHosts(
                        VirtualHost.newBuilder()
                            .setName("all")
                            .addDomains("*")
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(RouteMatch.newBuilder().setPrefix("/deny"))
                                    .setDirectResponse(
                                        DirectResponseAction.newBuilder().setStatus(403)))
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(RouteMatch.newBuilder().setPrefix("/"))
                                    .setRoute(RouteAction.newBuilder().setCluster(cluster)))));
    telemetry.applyTo(manager);
    manager.addHttpFilters(httpFilter("envoy.filters.http.router", Router.getDefaultInstance()));
    chain(port, service, "envoy.filters.network.http_connection_manager", manager.build());
    return this;
  }

  TelemetryEnvoy tcp(int port, MeshService service, ChainTelemetry telemetry, String cluster) {
    TcpProxy.Builder proxy =
        TcpProxy.newBuilder()
            .setStatPrefix("p" + port)
            .setMaxConnectAttempts(UInt32Value.of(1))
            .setCluster(cluster);
    telemetry.applyTo(proxy);
    chain(port, service, "envoy.filters.network.tcp_proxy", proxy.build());
    return this;
  }

  private void chain(
      int port, MeshService service, String name, com.google.protobuf.Message configuration) {
    main.addFilterChains(
        FilterChain.newBuilder()
            .setName("p" + port)
            .setFilterChainMatch(
                FilterChainMatch.newBuilder().setDestinationPort(UInt32Value.of(port)))
            .setMetadata(metadata(TelemetryMetadata.NAMESPACE, TelemetryMetadata.chain(service)))
            .addFilters(networkFilter(name, configuration)));
  }

  /** A cluster of one endpoint on loopback, the workload cart-v1 of the service. */
  TelemetryEnvoy cluster(String name, MeshService service, int port, boolean http2) {
    Workload workload =
        Workload.newBuilder()
            .setNamespace("store")
            .setWorkloadName("cart-v1")
            .setCanonicalName("cart")
            .setCanonicalRevision("v1")
            .setClusterId("west")
            .build();
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(name)
            .setType(Cluster.DiscoveryType.STATIC)
            .setConnectTimeout(seconds(1))
            .setMetadata(metadata(TelemetryMetadata.NAMESPACE, TelemetryMetadata.cluster(service)))
            .setLoadAssignment(
                assignment(
                    name,
                    loopback(port),
                    metadata(
                        TelemetryMetadata.NAMESPACE,
                        TelemetryMetadata.endpoint(workload, SERVER))));
    if (http2) {
      cluster.putTypedExtensionProtocolOptions(
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          http2(Http2ProtocolOptions.getDefaultInstance()));
    }
    bootstrap.getStaticResourcesBuilder().addClusters(cluster);
    return this;
  }

  /** All of it, with series dropped that nothing is added to for that long. */
  Bootstrap build(Duration eviction) {
    Bootstrap.Builder whole = bootstrap.clone();
    whole.getStaticResourcesBuilder().addListeners(main);
    return whole
        .addBootstrapExtensions(
            TypedExtensionConfig.newBuilder()
                .setName("envoy.bootstrap.wasm")
                .setTypedConfig(
                    Any.pack(
                        WasmService.newBuilder()
                            .setSingleton(true)
                            .setConfig(
                                PluginConfig.newBuilder()
                                    .setVmConfig(
                                        VmConfig.newBuilder()
                                            .setRuntime("envoy.wasm.runtime.v8")
                                            .setCode(
                                                AsyncDataSource.newBuilder()
                                                    .setLocal(
                                                        DataSource.newBuilder()
                                                            .setInlineBytes(
                                                                ByteString.copyFrom(
                                                                    Base64.getDecoder()
                                                                        .decode(
                                                                            Scraping
                                                                                .EMPTY_EXTENSION)))))))
                            .build())))
        // The published Java classes are of an Envoy that does not have the field.
        .mergeUnknownFields(
            UnknownFieldSet.newBuilder()
                .addField(
                    STATS_EVICTION_INTERVAL,
                    UnknownFieldSet.Field.newBuilder()
                        .addLengthDelimited(eviction.toByteString())
                        .build())
                .build())
        .build();
  }

  private static Listener terminate(int port, Identities identities) throws Exception {
    Config.Builder states = Config.newBuilder();
    states.addOnRequestHeaders(state(FilterState.DESTINATION, "", "%REQ(:AUTHORITY)%"));
    states.addOnRequestHeaders(
        state("envoy.filters.listener.original_dst.remote_ip", "", "%DOWNSTREAM_REMOTE_ADDRESS%"));
    states.addOnRequestHeaders(
        state(
            FilterState.PEER_PRINCIPAL, FilterState.HASHABLE_STRING, "%DOWNSTREAM_PEER_URI_SAN%"));
    states.addAllOnRequestHeaders(SourceWorkload.states());
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix("terminate")
            .setCodecType(HttpConnectionManager.CodecType.HTTP2)
            .setHttp2ProtocolOptions(CONNECT)
            .addUpgradeConfigs(
                HttpConnectionManager.UpgradeConfig.newBuilder().setUpgradeType("CONNECT"))
            .addAllAccessLog(WaypointTelemetry.refusedTunnels())
            .addHttpFilters(SourceWorkload.reader())
            .addHttpFilters(
                HttpFilter.newBuilder()
                    .setName("envoy.filters.http.set_filter_state")
                    .setTypedConfig(Any.pack(states.build())))
            .addHttpFilters(httpFilter("envoy.filters.http.router", Router.getDefaultInstance()))
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName("tunnels")
                    .addVirtualHosts(
                        VirtualHost.newBuilder()
                            .setName("all")
                            .addDomains("*")
                            .addRoutes(
                                Route.newBuilder()
                                    .setMatch(
                                        RouteMatch.newBuilder()
                                            .setConnectMatcher(
                                                RouteMatch.ConnectMatcher.getDefaultInstance()))
                                    .setRoute(
                                        RouteAction.newBuilder()
                                            .setCluster("inner")
                                            .setTimeout(seconds(0))
                                            .addUpgradeConfigs(
                                                RouteAction.UpgradeConfig.newBuilder()
                                                    .setUpgradeType("CONNECT")
                                                    .setConnectConfig(
                                                        RouteAction.UpgradeConfig.ConnectConfig
                                                            .getDefaultInstance()))))))
            .build();
    return Listener.newBuilder()
        .setName("terminate")
        .setAddress(loopback(port))
        .addFilterChains(
            FilterChain.newBuilder()
                .setTransportSocket(
                    socket(
                        "envoy.transport_sockets.tls",
                        DownstreamTlsContext.newBuilder()
                            .setRequireClientCertificate(com.google.protobuf.BoolValue.of(true))
                            .setCommonTlsContext(identities.context(WAYPOINT))
                            .build()))
                .addFilters(
                    networkFilter("envoy.filters.network.http_connection_manager", manager)))
        .build();
  }

  private static Cluster tunnels(int port, Identities identities) throws Exception {
    return Cluster.newBuilder()
        .setName("tunnels")
        .setType(Cluster.DiscoveryType.STATIC)
        .setLoadAssignment(assignment("tunnels", loopback(port), Metadata.getDefaultInstance()))
        .putTypedExtensionProtocolOptions(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", http2(CONNECT))
        .setTransportSocket(
            socket(
                "envoy.transport_sockets.tls",
                UpstreamTlsContext.newBuilder()
                    .setCommonTlsContext(identities.context(CLIENT))
                    .build()))
        .build();
  }

  private static Cluster inner() {
    return Cluster.newBuilder()
        .setName("inner")
        .setType(Cluster.DiscoveryType.STATIC)
        .setLoadAssignment(
            assignment(
                "inner",
                Address.newBuilder()
                    .setEnvoyInternalAddress(
                        EnvoyInternalAddress.newBuilder().setServerListenerName("main"))
                    .build(),
                Metadata.getDefaultInstance()))
        .setTransportSocket(
            socket(
                "envoy.transport_sockets.internal_upstream",
                InternalUpstreamTransport.newBuilder()
                    .setTransportSocket(
                        socket(
                            "envoy.transport_sockets.raw_buffer", RawBuffer.getDefaultInstance()))
                    .build()))
        .build();
  }

  private static FilterStateValue state(String key, String factory, String format) {
    return FilterStateValue.newBuilder()
        .setObjectKey(key)
        .setFactoryKey(factory)
        .setSharedWithUpstream(FilterStateValue.SharedWithUpstream.ONCE)
        .setFormatString(
            SubstitutionFormatString.newBuilder()
                .setTextFormatSource(DataSource.newBuilder().setInlineString(format)))
        .build();
  }

  private static Any http2(Http2ProtocolOptions options) {
    return Any.pack(
        HttpProtocolOptions.newBuilder()
            .setExplicitHttpConfig(
                HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                    .setHttp2ProtocolOptions(options))
            .build());
  }

  private static ClusterLoadAssignment assignment(
      String cluster, Address address, Metadata metadata) {
    return ClusterLoadAssignment.newBuilder()
        .setClusterName(cluster)
        .addEndpoints(
            LocalityLbEndpoints.newBuilder()
                .addLbEndpoints(
                    LbEndpoint.newBuilder()
                        .setEndpoint(Endpoint.newBuilder().setAddress(address))
                        .setMetadata(metadata)))
        .build();
  }

  private static Metadata metadata(String namespace, Struct values) {
    return Metadata.newBuilder().putFilterMetadata(namespace, values).build();
  }

  private static Duration seconds(long seconds) {
    return Duration.newBuilder().setSeconds(seconds).build();
  }
}
