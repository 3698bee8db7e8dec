package dev.ambit.operator.waypoint.traffic.model;

import static dev.ambit.operator.waypoint.testing.EnvoyParts.extension;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.httpFilter;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.loopback;
import static dev.ambit.operator.waypoint.testing.EnvoyParts.networkFilter;

import com.google.protobuf.Any;
import com.google.protobuf.Empty;
import com.google.protobuf.Struct;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.Value;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.RegularExpression;
import dev.ambit.operator.waypoint.model.TokenMetadata;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.bootstrap.v3.LayeredRuntime;
import io.envoyproxy.envoy.config.bootstrap.v3.RuntimeLayer;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.EnvoyInternalAddress;
import io.envoyproxy.envoy.config.core.v3.Locality;
import io.envoyproxy.envoy.config.core.v3.Metadata;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.listener.v3.ListenerFilter;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.extensions.bootstrap.internal_listener.v3.InternalListener;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.Cors;
import io.envoyproxy.envoy.extensions.filters.http.fault.v3.HTTPFault;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtProvider;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtRequirementOrList;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.RequirementRule;
import io.envoyproxy.envoy.extensions.filters.http.router.v3.Router;
import io.envoyproxy.envoy.extensions.filters.listener.original_dst.v3.OriginalDst;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import io.envoyproxy.envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport;
import io.envoyproxy.envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import io.envoyproxy.envoy.type.metadata.v3.MetadataKind;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * An Envoy that serves a port of a service as a waypoint does, with an inner hop in front of each
 * endpoint, but with plain connections instead of tunnels.
 */
final class TrafficEnvoy implements AutoCloseable {
  private static final String ORIGINAL_DST = "envoy.filters.listener.original_dst";

  /** Whom clients are taken for, each at a listener of its own. */
  static final List<String> PRINCIPALS =
      List.of(
          "spiffe://cluster.local/ns/web/sa/web",
          "spiffe://cluster.local/ns/web2/sa/web",
          "spiffe://cluster.local/ns/other/sa/ns/web/sa/web");

  private static final String KEY = "a key that is long enough for tests";

  private final EnvoyProcess envoy;
  private final Map<String, Integer> ports = new TreeMap<>();

  /** An endpoint of a service: an upstream, or a port that nobody listens on. */
  record EndpointOf(String service, int port, Map<String, String> labels, Place place) {
    static EndpointOf at(String service, Upstream upstream) {
      return new EndpointOf(service, upstream.port(), upstream.labels(), Place.UNKNOWN);
    }
  }

  /** What an answer was like. */
  record Answer(int status, Map<String, String> headers, String body, long millis) {
    String upstream() {
      return headers.getOrDefault("x-upstream", "");
    }
  }

  private TrafficEnvoy(EnvoyProcess envoy) throws IOException {
    this.envoy = envoy.awaitReady();
    for (String principal : PRINCIPALS) {
      ports.put(principal, envoy.port(principal));
    }
  }

  static TrafficEnvoy start(
      Path folder, TestMesh mesh, String service, Place own, Collection<EndpointOf> endpoints)
      throws IOException {
    return new TrafficEnvoy(EnvoyProcess.start(folder, bootstrap(mesh, service, own, endpoints)));
  }

  static TrafficEnvoy start(Path folder, TestMesh mesh, String service, EndpointOf... endpoints)
      throws IOException {
    return start(folder, mesh, service, Place.UNKNOWN, List.of(endpoints));
  }

  /** Serves port 80 of the service. */
  static Bootstrap bootstrap(
      TestMesh mesh, String service, Place own, Collection<EndpointOf> endpoints) {
    HttpPortRoutes routes = mesh.requests(service, 80);
    Traffic traffic = mesh.traffic();
    MeshService served = mesh.get(service);
    Bootstrap.Builder bootstrap =
        Bootstrap.newBuilder()
            .setAdmin(Admin.newBuilder().setAddress(loopback(0)))
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
                                            .setNumberValue(RegularExpression.LARGEST_PROGRAM)
                                            .build()))))
            .addBootstrapExtensions(
                extension(
                    "envoy.bootstrap.internal_listener", InternalListener.getDefaultInstance()));
    var resources = bootstrap.getStaticResourcesBuilder();
    resources.addListeners(originate());
    PRINCIPALS.forEach(principal -> resources.addListeners(entry(principal, routes)));
    resources.addClusters(
        Cluster.newBuilder()
            .setName("originate")
            .setType(Cluster.DiscoveryType.ORIGINAL_DST)
            .setLbPolicy(Cluster.LbPolicy.CLUSTER_PROVIDED));
    for (Backend backend : routes.backends()) {
      resources.addClusters(
          cluster(
              backend,
              traffic.policy(backend.service(), mesh.waypointNamespace(served)),
              own,
              endpoints));
    }
    return bootstrap.build();
  }

  private static Listener entry(String principal, HttpPortRoutes routes) {
    HttpConnectionManager manager =
        HttpConnectionManager.newBuilder()
            .setStatPrefix("in")
            .setUseRemoteAddress(com.google.protobuf.BoolValue.of(true))
            .setRouteConfig(
                RouteConfiguration.newBuilder()
                    .setName("in")
                    .setMaxDirectResponseBodySizeBytes(UInt32Value.of(HttpRules.LONGEST_BODY))
                    .setValidateClusters(com.google.protobuf.BoolValue.of(false))
                    .addAllVirtualHosts(routes.virtualHosts()))
            .addHttpFilters(httpFilter(TokenMetadata.FILTER, tokens()))
            .addHttpFilters(httpFilter("envoy.filters.http.cors", Cors.getDefaultInstance()))
            .addHttpFilters(httpFilter("envoy.filters.http.fault", HTTPFault.getDefaultInstance()))
            .addHttpFilters(httpFilter("envoy.filters.http.router", Router.getDefaultInstance()))
            .build();
    return Listener.newBuilder()
        .setName(principal)
        .setAddress(loopback(0))
        .addFilterChains(
            FilterChain.newBuilder()
                .addFilters(
                    networkFilter(
                        "envoy.filters.network.set_filter_state",
                        Config.newBuilder()
                            .addOnNewConnection(
                                FilterStateValue.newBuilder()
                                    .setObjectKey(FilterState.PEER_PRINCIPAL)
                                    .setFactoryKey(FilterState.HASHABLE_STRING)
                                    .setFormatString(
                                        SubstitutionFormatString.newBuilder()
                                            .setTextFormatSource(
                                                DataSource.newBuilder()
                                                    .setInlineString(principal))))
                            .build()))
                .addFilters(
                    networkFilter("envoy.filters.network.http_connection_manager", manager)))
        .build();
  }

  /** Takes tokens of {@link #token}, and requests without. */
  private static JwtAuthentication tokens() {
    return JwtAuthentication.newBuilder()
        .putProviders(
            "test",
            JwtProvider.newBuilder()
                .setIssuer("test")
                .setPayloadInMetadata(TokenMetadata.PAYLOAD)
                .setClearRouteCache(true)
                .setLocalJwks(
                    DataSource.newBuilder()
                        .setInlineString(
                            "{\"keys\": [{\"kty\": \"oct\", \"alg\": \"HS256\", \"k\": \""
                                + encoded(KEY)
                                + "\"}]}"))
                .build())
        .addRules(
            RequirementRule.newBuilder()
                .setMatch(RouteMatch.newBuilder().setPrefix("/"))
                .setRequires(
                    JwtRequirement.newBuilder()
                        .setRequiresAny(
                            JwtRequirementOrList.newBuilder()
                                .addRequirements(
                                    JwtRequirement.newBuilder().setProviderName("test"))
                                .addRequirements(
                                    JwtRequirement.newBuilder()
                                        .setAllowMissing(Empty.getDefaultInstance())))))
        .build();
  }

  /** A header with a token that makes these claims, in JSON. */
  static String token(String claims) {
    try {
      String signed =
          encoded("{\"alg\": \"HS256\"}") + "." + encoded("{\"iss\": \"test\", " + claims + "}");
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(KEY.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      byte[] signature = mac.doFinal(signed.getBytes(StandardCharsets.UTF_8));
      return "Authorization: Bearer "
          + signed
          + "."
          + Base64.getUrlEncoder().withoutPadding().encodeToString(signature);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String encoded(String text) {
    return Base64.getUrlEncoder()
        .withoutPadding()
        .encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }

  private static Listener originate() {
    return Listener.newBuilder()
        .setName("originate")
        .setInternalListener(Listener.InternalListenerConfig.getDefaultInstance())
        .addListenerFilters(
            ListenerFilter.newBuilder()
                .setName(ORIGINAL_DST)
                .setTypedConfig(Any.pack(OriginalDst.getDefaultInstance())))
        .addFilterChains(
            FilterChain.newBuilder()
                .addFilters(
                    networkFilter(
                        "envoy.filters.network.tcp_proxy",
                        TcpProxy.newBuilder()
                            .setStatPrefix("originate")
                            .setCluster("originate")
                            .build())))
        .build();
  }

  private static Cluster cluster(
      Backend backend, ServicePolicy policies, Place own, Collection<EndpointOf> endpoints) {
    ClusterPolicy policy = policies.of(backend);
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(backend.clusterName())
            .setType(Cluster.DiscoveryType.STATIC)
            .setTransportSocket(innerSocket());
    HttpProtocolOptions.Builder options = HttpProtocolOptions.newBuilder();
    if (backend.protocol() == PortProtocol.HTTP) {
      options
          .getExplicitHttpConfigBuilder()
          .setHttpProtocolOptions(
              io.envoyproxy.envoy.config.core.v3.Http1ProtocolOptions.getDefaultInstance());
    } else {
      options
          .getExplicitHttpConfigBuilder()
          .setHttp2ProtocolOptions(
              io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions.getDefaultInstance());
    }
    policy.applyTo(cluster, options);
    cluster.putTypedExtensionProtocolOptions(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", Any.pack(options.build()));
    List<EndpointOf> selected =
        endpoints.stream()
            .filter(each -> backend.service().hostname().startsWith(each.service() + "."))
            .filter(each -> policies.selects(backend, each.labels()))
            .toList();
    ClusterLoadAssignment.Builder assignment =
        ClusterLoadAssignment.newBuilder().setClusterName(backend.clusterName());
    for (EndpointGroup<EndpointOf> group :
        policy
            .locality()
            .orElse(LocalityPolicy.ANYWHERE)
            .arrange(own, selected, EndpointOf::place)) {
      LocalityLbEndpoints.Builder locality =
          LocalityLbEndpoints.newBuilder()
              .setPriority(group.priority())
              .setLoadBalancingWeight(UInt32Value.of(group.weight()))
              .setLocality(
                  Locality.newBuilder()
                      .setRegion(group.region())
                      .setZone(group.zone())
                      .setSubZone(group.subzone()));
      group.endpoints().forEach(each -> locality.addLbEndpoints(endpoint(each)));
      assignment.addEndpoints(locality);
    }
    return cluster.setLoadAssignment(assignment).build();
  }

  private static LbEndpoint endpoint(EndpointOf each) {
    String address = "127.0.0.1:" + each.port();
    return LbEndpoint.newBuilder()
        .setEndpoint(
            Endpoint.newBuilder()
                .setAddress(
                    Address.newBuilder()
                        .setEnvoyInternalAddress(
                            EnvoyInternalAddress.newBuilder()
                                .setServerListenerName("originate")
                                .setEndpointId(address))))
        .setMetadata(
            Metadata.newBuilder()
                .putFilterMetadata(
                    ORIGINAL_DST,
                    Struct.newBuilder()
                        .putFields("local", Value.newBuilder().setStringValue(address).build())
                        .build()))
        .build();
  }

  private static TransportSocket innerSocket() {
    return TransportSocket.newBuilder()
        .setName("envoy.transport_sockets.internal_upstream")
        .setTypedConfig(
            Any.pack(
                InternalUpstreamTransport.newBuilder()
                    .addPassthroughMetadata(
                        InternalUpstreamTransport.MetadataValueSource.newBuilder()
                            .setKind(
                                MetadataKind.newBuilder()
                                    .setHost(MetadataKind.Host.getDefaultInstance()))
                            .setName(ORIGINAL_DST))
                    .setTransportSocket(
                        TransportSocket.newBuilder()
                            .setName("envoy.transport_sockets.raw_buffer")
                            .setTypedConfig(Any.pack(RawBuffer.getDefaultInstance())))
                    .build()))
        .build();
  }

  Answer get(String path, String... headers) throws IOException {
    return send("GET", path, headers);
  }

  /** One request on a connection of its own; headers as "name: value". */
  Answer send(String method, String path, String... headers) throws IOException {
    return sendAs(PRINCIPALS.getFirst(), method, path, headers);
  }

  Answer sendAs(String principal, String method, String path, String... headers)
      throws IOException {
    long start = System.nanoTime();
    StringBuilder request = new StringBuilder();
    request.append(method).append(' ').append(path).append(" HTTP/1.1\r\n");
    List<String> all = new ArrayList<>(List.of(headers));
    if (all.stream().noneMatch(header -> header.toLowerCase(Locale.ROOT).startsWith("host:"))) {
      all.add("Host: served");
    }
    all.forEach(header -> request.append(header).append("\r\n"));
    if (!method.equals("GET") && !method.equals("OPTIONS")) {
      request.append("Content-Length: 0\r\n");
    }
    request.append("Connection: close\r\n\r\n");
    try (Socket socket =
        new Socket(InetAddress.getLoopbackAddress(), ports.getOrDefault(principal, 0))) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(request.toString().getBytes(StandardCharsets.ISO_8859_1));
      InputStream in = socket.getInputStream();
      String response = new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
      return parse(response, (System.nanoTime() - start) / 1_000_000);
    }
  }

  private static Answer parse(String response, long millis) {
    int end = response.indexOf("\r\n\r\n");
    if (end < 0) {
      return new Answer(0, Map.of(), response, millis);
    }
    String[] lines = response.substring(0, end).split("\r\n");
    Map<String, String> headers = new TreeMap<>();
    for (int i = 1; i < lines.length; i++) {
      int colon = lines[i].indexOf(':');
      headers.put(lines[i].substring(0, colon), lines[i].substring(colon + 1).strip());
    }
    return new Answer(
        Integer.parseInt(lines[0].split(" ")[1]), headers, response.substring(end + 4), millis);
  }

  EnvoyProcess process() {
    return envoy;
  }

  @Override
  public void close() {
    envoy.close();
  }
}
