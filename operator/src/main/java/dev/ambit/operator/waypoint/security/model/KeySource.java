package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.HttpUri;
import io.envoyproxy.envoy.config.core.v3.SocketAddress;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwksAsyncFetch;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.RemoteJwks;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Where Envoy fetches an issuer's keys from: a service of the mesh, or a host outside, which it
 * verifies by the certificate authorities that its image trusts. The waypoint fetches them, and not
 * the operator, so that what a policy names is fetched with no more rights than its namespace's
 * waypoint has.
 *
 * @param backend of the mesh, where it is one
 * @param cluster outside of it, where it is none
 */
record KeySource(RemoteJwks remote, Optional<Backend> backend, Optional<Cluster> cluster) {
  /** Where Envoy's images have the certificate authorities. */
  static final String SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt";

  private static final Duration CACHED_FOR = Duration.newBuilder().setSeconds(300).build();
  private static final Duration CONNECT_TIMEOUT = Duration.newBuilder().setSeconds(5).build();

  /** Empty where the address is none of HTTP or HTTPS. */
  static Optional<KeySource> of(
      String address, Duration timeout, MeshServices services, String viewedFrom) {
    URI uri;
    try {
      uri = new URI(address);
    } catch (URISyntaxException _) {
      return Optional.empty();
    }
    String host = uri.getHost();
    String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
    boolean tls = scheme.equals("https");
    if (host == null || uri.getRawUserInfo() != null || !(tls || scheme.equals("http"))) {
      return Optional.empty();
    }
    int port = uri.getPort() > 0 ? uri.getPort() : tls ? 443 : 80;
    if (port > 65535) {
      return Optional.empty();
    }
    Optional<Backend> backend =
        tls
            ? Optional.empty()
            : services
                .answeringTo(host, viewedFrom)
                .filter(service -> service.port(port).isPresent())
                .map(service -> new Backend(service, port, PortProtocol.HTTP, Optional.empty()));
    Optional<Cluster> cluster =
        backend.isPresent() ? Optional.empty() : Optional.of(cluster(host, port, tls));
    RemoteJwks remote =
        RemoteJwks.newBuilder()
            .setHttpUri(
                HttpUri.newBuilder()
                    .setUri(address)
                    .setCluster(
                        backend
                            .map(Backend::clusterName)
                            .orElseGet(() -> clusterName(host, port, tls)))
                    .setTimeout(timeout))
            .setCacheDuration(CACHED_FOR)
            // Fetched ahead of the first request, and a failure holds up nothing.
            .setAsyncFetch(JwksAsyncFetch.newBuilder().setFastListener(true))
            .build();
    return Optional.of(new KeySource(remote, backend, cluster));
  }

  /** Whether keys could be fetched from there. */
  static boolean isAddress(String address) {
    return of(address, CONNECT_TIMEOUT, NO_SERVICES, "").isPresent();
  }

  private static final MeshServices NO_SERVICES =
      new MeshServices() {
        @Override
        public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
          return List.of();
        }

        @Override
        public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
          return Optional.empty();
        }
      };

  private static String clusterName(String host, int port, boolean tls) {
    return "jwks|" + (tls ? "https" : "http") + "|" + host.replace('.', '_') + "|" + port;
  }

  private static Cluster cluster(String host, int port, boolean tls) {
    String bare =
        host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(clusterName(host, port, tls))
            .setType(Cluster.DiscoveryType.LOGICAL_DNS)
            .setDnsLookupFamily(Cluster.DnsLookupFamily.ALL)
            .setConnectTimeout(CONNECT_TIMEOUT)
            .setLoadAssignment(
                ClusterLoadAssignment.newBuilder()
                    .setClusterName(clusterName(host, port, tls))
                    .addEndpoints(
                        LocalityLbEndpoints.newBuilder()
                            .addLbEndpoints(
                                LbEndpoint.newBuilder()
                                    .setEndpoint(
                                        Endpoint.newBuilder()
                                            .setAddress(
                                                Address.newBuilder()
                                                    .setSocketAddress(
                                                        SocketAddress.newBuilder()
                                                            .setAddress(bare)
                                                            .setPortValue(port)))))));
    if (tls) {
      cluster.setTransportSocket(
          TransportSocket.newBuilder()
              .setName("envoy.transport_sockets.tls")
              .setTypedConfig(Any.pack(tls(bare))));
    }
    return cluster.build();
  }

  private static UpstreamTlsContext tls(String host) {
    boolean address = host.indexOf(':') >= 0 || host.matches("[0-9.]+");
    UpstreamTlsContext.Builder context =
        UpstreamTlsContext.newBuilder()
            .setCommonTlsContext(
                CommonTlsContext.newBuilder()
                    .setValidationContext(
                        CertificateValidationContext.newBuilder()
                            .setTrustedCa(DataSource.newBuilder().setFilename(SYSTEM_ROOTS))
                            .addMatchTypedSubjectAltNames(
                                SubjectAltNameMatcher.newBuilder()
                                    .setSanType(
                                        address
                                            ? SubjectAltNameMatcher.SanType.IP_ADDRESS
                                            : SubjectAltNameMatcher.SanType.DNS)
                                    .setMatcher(
                                        Matchers.string(new TextMatch.Exact(host, false))))));
    return address ? context.build() : context.setSni(host).build();
  }
}
