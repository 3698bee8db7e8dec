package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.security.model.ConnectSecurity;
import dev.ambit.operator.waypoint.telemetry.model.SourceWorkload;
import dev.ambit.operator.waypoint.telemetry.model.WaypointTelemetry;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.KeepaliveSettings;
import io.envoyproxy.envoy.config.core.v3.SocketAddress;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.listener.v3.ListenerFilter;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.listener.original_dst.v3.OriginalDst;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.Rds;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.TlsParameters;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.envoyproxy.envoy.type.metadata.v3.MetadataKind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What is the same whatever services a waypoint has: where tunnels end, where those to endpoints
 * begin, and the hops between.
 *
 * <p>A tunnel's bytes go on to the listener {@link #MAIN}, with the state of who sent them and
 * where to; to {@link #SNIFF} first, where it has to be found out what they are. Towards endpoints,
 * a connection goes to {@link #ORIGINATE}, which puts it into a tunnel to the address that the
 * endpoint's metadata name, and accepts there no other identity than the metadata's.
 */
final class Tunnels {
  static final String MAIN = "main";
  static final String SNIFF = "sniff";
  static final String ORIGINATE = "originate";

  /** The same for what the client addressed itself: the connection's state says where to. */
  static final String ORIGINATE_DIRECT = "originate-direct";

  /** The cluster by which connections reach {@link #ORIGINATE_DIRECT}. */
  static final String DIRECT = "direct";

  /** The cluster that takes connections where they were addressed, without a tunnel. */
  static final String DIRECT_PLAIN = "direct-plain";

  /** Of an endpoint's metadata: the address and port for the tunnel to lead to. */
  static final String ADDRESS_METADATA = "envoy.filters.listener.original_dst";

  /** Of an endpoint's metadata: the identities of which it must prove one. */
  static final String IDENTITY_METADATA = "ambit.destination";

  static final String IDENTITY_KEY = "san";

  private static final String TERMINATE = "connect_terminate";
  private static final String OWN_SECRET = "own";
  private static final String ROOTS_SECRET = "roots";

  private Tunnels() {}

  /** What of it depends on the mesh. */
  record Settings(List<String> trustDomains) {
    Settings {
      trustDomains = List.copyOf(trustDomains);
    }
  }

  static List<Listener> listeners(Settings settings) {
    return List.of(terminate(settings), originate(), originateDirect(), ProbeEndpoint.listener());
  }

  static List<Cluster> clusters(Settings settings) {
    return List.of(
        hop(MAIN),
        hop(SNIFF),
        hop(DIRECT, ORIGINATE_DIRECT),
        hop(ProbeEndpoint.NAME),
        plain(),
        upstream(settings));
  }

  // --- Where tunnels end

  private static Listener terminate(Settings settings) {
    HttpConnectionManager.Builder manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix(TERMINATE)
            .setCodecType(HttpConnectionManager.CodecType.HTTP2)
            // Tunnels may be silent for hours.
            .setStreamIdleTimeout(Envoy.ZERO)
            .addUpgradeConfigs(
                HttpConnectionManager.UpgradeConfig.newBuilder().setUpgradeType("CONNECT"))
            .setHttp2ProtocolOptions(http2())
            .addAllAccessLog(WaypointTelemetry.refusedTunnels())
            .setRds(
                Rds.newBuilder().setConfigSource(Envoy.ADS).setRouteConfigName(TunnelRoutes.NAME));
    manager.addHttpFilters(SourceWorkload.reader());
    List<FilterStateValue> state = new ArrayList<>();
    state.add(Envoy.shared(FilterState.DESTINATION, "%REQ(:AUTHORITY)%"));
    state.add(Envoy.shared(Envoy.CLIENT_ADDRESS, "%DOWNSTREAM_REMOTE_ADDRESS%"));
    state.add(Envoy.sharedString(FilterState.PEER_PRINCIPAL, "%DOWNSTREAM_PEER_URI_SAN%"));
    state.add(Envoy.sharedString(FilterState.LOCAL_PRINCIPAL, "%DOWNSTREAM_LOCAL_URI_SAN%"));
    state.addAll(SourceWorkload.states());
    manager.addHttpFilters(
        Envoy.httpFilter(
            "envoy.filters.http.set_filter_state",
            Config.newBuilder().addAllOnRequestHeaders(state).build()));
    manager.addAllHttpFilters(ConnectSecurity.filters());
    manager.addHttpFilters(Envoy.router());
    return Listener.newBuilder()
        .setName(TERMINATE)
        .setAddress(
            Address.newBuilder()
                .setSocketAddress(
                    SocketAddress.newBuilder()
                        .setAddress("::")
                        .setIpv4Compat(true)
                        .setPortValue(EnvoyBootstrap.HBONE_PORT)))
        // Few long connections carry everything: spread them over the workers.
        .setConnectionBalanceConfig(
            Listener.ConnectionBalanceConfig.newBuilder()
                .setExactBalance(
                    Listener.ConnectionBalanceConfig.ExactBalance.getDefaultInstance()))
        .addFilterChains(
            FilterChain.newBuilder()
                .setName(TERMINATE)
                .setTransportSocket(
                    TransportSocket.newBuilder()
                        .setName("envoy.transport_sockets.tls")
                        .setTypedConfig(
                            Any.pack(
                                DownstreamTlsContext.newBuilder()
                                    .setRequireClientCertificate(BoolValue.of(true))
                                    // Resumption would skip the check after a root or a list of
                                    // revocations has changed.
                                    .setDisableStatelessSessionResumption(true)
                                    .setDisableStatefulSessionResumption(true)
                                    .setCommonTlsContext(tls(settings))
                                    .build())))
                .addFilters(Envoy.filter(Envoy.HTTP_CONNECTION_MANAGER, manager.build())))
        .build();
  }

  /** What a hop hands on to the next: it reaches one hop only. */
  static List<FilterStateValue> handedOn() {
    List<FilterStateValue> state = new ArrayList<>();
    state.add(Envoy.shared(FilterState.DESTINATION, "%DOWNSTREAM_LOCAL_ADDRESS%"));
    state.add(Envoy.shared(Envoy.CLIENT_ADDRESS, "%DOWNSTREAM_REMOTE_ADDRESS%"));
    for (String key : List.of(FilterState.PEER_PRINCIPAL, FilterState.LOCAL_PRINCIPAL)) {
      state.add(Envoy.sharedString(key, "%FILTER_STATE(" + key + ":PLAIN)%"));
    }
    state.add(
        Envoy.sharedString(
            ConnectSecurity.DETECTED_VERDICT,
            "%FILTER_STATE(" + ConnectSecurity.DETECTED_VERDICT + ":PLAIN)%"));
    state.addAll(SourceWorkload.forwarded());
    return state;
  }

  private static CommonTlsContext tls(Settings settings) {
    CertificateValidationContext.Builder names = CertificateValidationContext.newBuilder();
    for (String trustDomain : settings.trustDomains()) {
      // Ends in "/", or another domain that begins with the same letters would do.
      names.addMatchTypedSubjectAltNames(
          SubjectAltNameMatcher.newBuilder()
              .setSanType(SubjectAltNameMatcher.SanType.URI)
              .setMatcher(StringMatcher.newBuilder().setPrefix("spiffe://" + trustDomain + "/")));
    }
    return CommonTlsContext.newBuilder()
        .addAlpnProtocols("h2")
        .setTlsParams(
            TlsParameters.newBuilder()
                .setTlsMinimumProtocolVersion(TlsParameters.TlsProtocol.TLSv1_3)
                .setTlsMaximumProtocolVersion(TlsParameters.TlsProtocol.TLSv1_3))
        .addTlsCertificateSdsSecretConfigs(secret(OWN_SECRET))
        .setCombinedValidationContext(
            CommonTlsContext.CombinedCertificateValidationContext.newBuilder()
                .setDefaultValidationContext(names)
                .setValidationContextSdsSecretConfig(secret(ROOTS_SECRET)))
        .build();
  }

  private static SdsSecretConfig secret(String name) {
    return SdsSecretConfig.newBuilder().setName(name).setSdsConfig(Envoy.SECRETS).build();
  }

  private static Http2ProtocolOptions http2() {
    return Http2ProtocolOptions.newBuilder()
        .setAllowConnect(true)
        .setMaxConcurrentStreams(Envoy.number(100))
        .setInitialStreamWindowSize(Envoy.number(1 << 20))
        .setInitialConnectionWindowSize(Envoy.number(16 << 20))
        .setConnectionKeepalive(
            KeepaliveSettings.newBuilder()
                .setInterval(Envoy.seconds(10))
                .setTimeout(Envoy.seconds(20)))
        .build();
  }

  // --- Between

  /** Takes the addresses that a connection is to have from the state that came with it. */
  static ListenerFilter addresses() {
    return ListenerFilter.newBuilder()
        .setName("envoy.filters.listener.original_dst")
        .setTypedConfig(Any.pack(OriginalDst.getDefaultInstance()))
        .build();
  }

  private static Cluster hop(String listener) {
    return hop(listener, listener);
  }

  private static Cluster hop(String name, String listener) {
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(name)
            .setType(Cluster.DiscoveryType.STATIC)
            .setLoadAssignment(
                ClusterLoadAssignment.newBuilder()
                    .setClusterName(name)
                    .addEndpoints(
                        LocalityLbEndpoints.newBuilder()
                            .addLbEndpoints(
                                LbEndpoint.newBuilder()
                                    .setEndpoint(
                                        Endpoint.newBuilder()
                                            .setAddress(Envoy.internal(listener))))))
            .setCircuitBreakers(Clusters.UNLIMITED)
            .setTransportSocket(internal(List.of(), Envoy.rawBuffer()));
    if (name.equals(DIRECT)) {
      cluster.putTypedExtensionProtocolOptions(
          Clusters.HTTP_OPTIONS, Any.pack(Clusters.asTheClient()));
    }
    return cluster.build();
  }

  private static Cluster plain() {
    return Cluster.newBuilder()
        .setName(DIRECT_PLAIN)
        .setType(Cluster.DiscoveryType.ORIGINAL_DST)
        .setLbPolicy(Cluster.LbPolicy.CLUSTER_PROVIDED)
        .setConnectTimeout(Envoy.seconds(10))
        .setCircuitBreakers(Clusters.UNLIMITED)
        .putTypedExtensionProtocolOptions(Clusters.HTTP_OPTIONS, Any.pack(Clusters.asTheClient()))
        .build();
  }

  /** For connections inside Envoy, which take those metadata of the endpoint along. */
  static TransportSocket internal(List<String> metadata, TransportSocket within) {
    InternalUpstreamTransport.Builder socket =
        InternalUpstreamTransport.newBuilder().setTransportSocket(within);
    for (String name : metadata) {
      socket.addPassthroughMetadata(
          InternalUpstreamTransport.MetadataValueSource.newBuilder()
              .setName(name)
              .setKind(MetadataKind.newBuilder().setHost(MetadataKind.Host.getDefaultInstance())));
    }
    return TransportSocket.newBuilder()
        .setName("envoy.transport_sockets.internal_upstream")
        .setTypedConfig(Any.pack(socket.build()))
        .build();
  }

  // --- Where those to endpoints begin

  private static Listener originate() {
    return inner(ORIGINATE)
        .addFilterChains(
            FilterChain.newBuilder()
                .setName(ORIGINATE)
                .addFilters(
                    Envoy.setFilterState(
                        List.of(
                            // Where there is none, this is "-", which no certificate has.
                            Envoy.own(
                                FilterState.UPSTREAM_NAMES,
                                "%DYNAMIC_METADATA("
                                    + IDENTITY_METADATA
                                    + ":"
                                    + IDENTITY_KEY
                                    + ")%"))))
                .addFilters(tunnel()))
        .build();
  }

  private static Listener originateDirect() {
    return inner(ORIGINATE_DIRECT)
        .addFilterChains(FilterChain.newBuilder().setName(ORIGINATE_DIRECT).addFilters(tunnel()))
        .build();
  }

  static Listener.Builder inner(String name) {
    return Listener.newBuilder()
        .setName(name)
        .setInternalListener(Listener.InternalListenerConfig.getDefaultInstance())
        .addListenerFilters(addresses());
  }

  private static io.envoyproxy.envoy.config.listener.v3.Filter tunnel() {
    return Envoy.filter(
        Envoy.TCP_PROXY,
        TcpProxy.newBuilder()
            .setStatPrefix(ORIGINATE)
            .setCluster(ORIGINATE)
            .setIdleTimeout(Envoy.ZERO)
            .setTunnelingConfig(
                TcpProxy.TunnelingConfig.newBuilder().setHostname("%DOWNSTREAM_LOCAL_ADDRESS%"))
            .addAllAccessLog(WaypointTelemetry.failedTunnels())
            .build());
  }

  private static Cluster upstream(Settings settings) {
    return Cluster.newBuilder()
        .setName(ORIGINATE)
        .setType(Cluster.DiscoveryType.ORIGINAL_DST)
        .setLbPolicy(Cluster.LbPolicy.CLUSTER_PROVIDED)
        .setOriginalDstLbConfig(
            Cluster.OriginalDstLbConfig.newBuilder()
                .setUpstreamPortOverride(Envoy.number(EnvoyBootstrap.HBONE_PORT)))
        .setConnectTimeout(Envoy.seconds(5))
        .setCleanupInterval(Envoy.seconds(60))
        .setCircuitBreakers(Clusters.UNLIMITED)
        .setTransportSocket(
            TransportSocket.newBuilder()
                .setName("envoy.transport_sockets.tls")
                .setTypedConfig(
                    Any.pack(
                        UpstreamTlsContext.newBuilder()
                            .setMaxSessionKeys(Envoy.number(0))
                            .setCommonTlsContext(tls(settings))
                            .build())))
        .putAllTypedExtensionProtocolOptions(
            Map.of(
                Clusters.HTTP_OPTIONS,
                Any.pack(
                    HttpProtocolOptions.newBuilder()
                        .setCommonHttpProtocolOptions(
                            io.envoyproxy.envoy.config.core.v3.HttpProtocolOptions.newBuilder()
                                .setIdleTimeout(Envoy.seconds(3600)))
                        .setExplicitHttpConfig(
                            HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                                .setHttp2ProtocolOptions(http2()))
                        .build())))
        .build();
  }
}
