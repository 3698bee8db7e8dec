package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Any;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryMetadata;
import dev.ambit.operator.waypoint.traffic.model.ClusterPolicy;
import dev.ambit.operator.waypoint.traffic.model.EndpointGroup;
import dev.ambit.operator.waypoint.traffic.model.LocalityPolicy;
import dev.ambit.operator.waypoint.traffic.model.Place;
import dev.ambit.operator.waypoint.traffic.model.ServicePolicy;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.WorkloadStatus;
import io.envoyproxy.envoy.config.cluster.v3.CircuitBreakers;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.Http1ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.Http2ProtocolOptions;
import io.envoyproxy.envoy.config.core.v3.Locality;
import io.envoyproxy.envoy.config.core.v3.Metadata;
import io.envoyproxy.envoy.config.core.v3.SocketAddress;
import io.envoyproxy.envoy.config.core.v3.TransportSocket;
import io.envoyproxy.envoy.config.endpoint.v3.ClusterLoadAssignment;
import io.envoyproxy.envoy.config.endpoint.v3.Endpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LbEndpoint;
import io.envoyproxy.envoy.config.endpoint.v3.LocalityLbEndpoints;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** A cluster for each backend, and its endpoints. */
final class Clusters {
  static final String HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

  /** Envoy's own defaults, such as three retries at once, are limits that nobody asked for. */
  static final CircuitBreakers UNLIMITED =
      CircuitBreakers.newBuilder()
          .addThresholds(
              CircuitBreakers.Thresholds.newBuilder()
                  .setMaxConnections(Envoy.number(-1))
                  .setMaxPendingRequests(Envoy.number(-1))
                  .setMaxRequests(Envoy.number(-1))
                  .setMaxRetries(Envoy.number(-1)))
          .build();

  private static final String SOCKET_MATCH = "envoy.transport_socket_match";
  private static final String TUNNEL = "tunnel";

  private Clusters() {}

  /**
   * What a backend's cluster is made from.
   *
   * @param service of the workload API
   * @param members all workloads of the service, in the order of their UIDs
   * @param policy what DestinationRules say of the service
   * @param waypoint where its pods are
   */
  record Source(
      Backend backend,
      Service service,
      List<Member> members,
      ServicePolicy policy,
      Place waypoint) {
    Source {
      members = List.copyOf(members);
    }
  }

  /**
   * A cluster.
   *
   * @param endpoints absent where the cluster finds them itself
   */
  record Planned(Cluster cluster, Optional<ClusterLoadAssignment> endpoints) {}

  static Planned of(Source source) {
    Backend backend = source.backend();
    String name = backend.clusterName();
    Cluster.Builder cluster =
        Cluster.newBuilder()
            .setName(name)
            .setConnectTimeout(Envoy.seconds(10))
            .setMetadata(
                Metadata.newBuilder()
                    .putFilterMetadata(
                        TelemetryMetadata.NAMESPACE, TelemetryMetadata.cluster(backend.service())));
    ClusterPolicy policy = source.policy().of(backend);
    HttpProtocolOptions.Builder options = options(backend).toBuilder();
    policy.applyTo(cluster, options);
    switch (backend.protocol()) {
      case HTTP, HTTP2, GRPC, DETECTED ->
          cluster.putTypedExtensionProtocolOptions(HTTP_OPTIONS, Any.pack(options.build()));
      case TLS, TCP -> {}
    }
    if (source.service().getLoadBalancing().getMode() == LoadBalancing.Mode.PASSTHROUGH) {
      return new Planned(
          cluster
              .setType(Cluster.DiscoveryType.ORIGINAL_DST)
              .setLbPolicy(Cluster.LbPolicy.CLUSTER_PROVIDED)
              .clearLoadBalancingPolicy()
              .setTransportSocket(tls(policy, Envoy.rawBuffer()))
              .build(),
          Optional.empty());
    }
    ClusterLoadAssignment endpoints = endpoints(source);
    // What nobody can look up is no endpoint, so the cluster has none.
    if (source.members().stream().anyMatch(each -> each.byName() && !each.byWildcard())) {
      return new Planned(
          cluster
              .setType(Cluster.DiscoveryType.STRICT_DNS)
              .setTransportSocket(tls(policy, Envoy.rawBuffer()))
              .setLoadAssignment(endpoints)
              .build(),
          Optional.empty());
    }
    return new Planned(
        cluster
            .setType(Cluster.DiscoveryType.EDS)
            .setEdsClusterConfig(
                Cluster.EdsClusterConfig.newBuilder().setServiceName(name).setEdsConfig(Envoy.ADS))
            .addTransportSocketMatches(
                Cluster.TransportSocketMatch.newBuilder()
                    .setName(TUNNEL)
                    .setMatch(struct(TUNNEL, "true"))
                    .setTransportSocket(
                        Tunnels.internal(
                            List.of(Tunnels.ADDRESS_METADATA, Tunnels.IDENTITY_METADATA),
                            tls(policy, Envoy.rawBuffer()))))
            .addTransportSocketMatches(
                Cluster.TransportSocketMatch.newBuilder()
                    .setName("plain")
                    .setMatch(Struct.getDefaultInstance())
                    .setTransportSocket(tls(policy, Envoy.rawBuffer())))
            .build(),
        Optional.of(endpoints));
  }

  private static HttpProtocolOptions options(Backend backend) {
    return switch (backend.protocol()) {
      case HTTP, DETECTED -> asTheClient();
      case HTTP2, GRPC ->
          HttpProtocolOptions.newBuilder()
              .setExplicitHttpConfig(
                  HttpProtocolOptions.ExplicitHttpConfig.newBuilder()
                      .setHttp2ProtocolOptions(Http2ProtocolOptions.getDefaultInstance()))
              .build();
      case TLS, TCP -> HttpProtocolOptions.getDefaultInstance();
    };
  }

  private static TransportSocket tls(ClusterPolicy policy, TransportSocket otherwise) {
    return policy
        .tls()
        .map(
            context ->
                TransportSocket.newBuilder()
                    .setName("envoy.transport_sockets.tls")
                    .setTypedConfig(Any.pack(context))
                    .build())
        .orElse(otherwise);
  }

  /** A client that speaks HTTP/2 to a port without saying so has found that it is understood. */
  static HttpProtocolOptions asTheClient() {
    return HttpProtocolOptions.newBuilder()
        .setUseDownstreamProtocolConfig(
            HttpProtocolOptions.UseDownstreamHttpConfig.newBuilder()
                .setHttpProtocolOptions(Http1ProtocolOptions.getDefaultInstance())
                .setHttp2ProtocolOptions(Http2ProtocolOptions.getDefaultInstance()))
        .build();
  }

  private static ClusterLoadAssignment endpoints(Source source) {
    boolean all =
        source.service().getLoadBalancing().getHealthPolicy()
            == LoadBalancing.HealthPolicy.ALLOW_ALL;
    record Placed(LbEndpoint endpoint, Place place) {}
    List<Placed> placed = new ArrayList<>();
    for (Member member : source.members()) {
      if (member.byWildcard() || !source.policy().selects(source.backend(), member.labels())) {
        continue;
      }
      if (!all && member.workload().getStatus() != WorkloadStatus.HEALTHY) {
        continue;
      }
      endpoint(source, member)
          .ifPresent(endpoint -> placed.add(new Placed(endpoint, member.place())));
    }
    LocalityPolicy localities = localities(source.backend(), source.service(), source.policy());
    ClusterLoadAssignment.Builder assignment =
        ClusterLoadAssignment.newBuilder().setClusterName(source.backend().clusterName());
    for (EndpointGroup<Placed> group :
        localities.arrange(source.waypoint(), placed, Placed::place)) {
      LocalityLbEndpoints.Builder endpoints =
          assignment
              .addEndpointsBuilder()
              .setPriority(group.priority())
              .setLoadBalancingWeight(Envoy.number(group.weight()))
              .setLocality(
                  Locality.newBuilder()
                      .setRegion(group.region())
                      .setZone(group.zone())
                      .setSubZone(group.subzone()));
      group.endpoints().forEach(each -> endpoints.addLbEndpoints(each.endpoint()));
    }
    return assignment.build();
  }

  /** Whether it makes a difference where the waypoint is. */
  static boolean dependsOnPlace(Backend backend, Service service, ServicePolicy policy) {
    return !localities(backend, service, policy).equals(LocalityPolicy.ANYWHERE);
  }

  private static LocalityPolicy localities(Backend backend, Service service, ServicePolicy policy) {
    return policy
        .of(backend)
        .locality()
        .orElseGet(() -> LocalityPolicy.of(service.getLoadBalancing()));
  }

  private static Optional<LbEndpoint> endpoint(Source source, Member member) {
    Optional<Integer> port = port(source, member);
    if (port.isEmpty()) {
      return Optional.empty();
    }
    LbEndpoint.Builder endpoint = LbEndpoint.newBuilder();
    if (member.workload().hasCapacity() && member.workload().getCapacity().getValue() > 0) {
      endpoint.setLoadBalancingWeight(member.workload().getCapacity());
    }
    Metadata.Builder metadata =
        Metadata.newBuilder()
            .putFilterMetadata(
                TelemetryMetadata.NAMESPACE,
                TelemetryMetadata.endpoint(
                    member.workload(), member.tunnelled() ? member.identity() : ""));
    if (member.byName()) {
      return Optional.of(
          endpoint
              .setEndpoint(
                  Endpoint.newBuilder()
                      .setAddress(socket(member.workload().getHostname(), port.get())))
              .setMetadata(metadata)
              .build());
    }
    if (member.workload().getAddressesCount() == 0) {
      return Optional.empty();
    }
    String address = member.addresses().getFirst();
    if (!member.tunnelled()) {
      return Optional.of(
          endpoint
              .setEndpoint(Endpoint.newBuilder().setAddress(socket(address, port.get())))
              .setMetadata(metadata)
              .build());
    }
    String at = Member.at(address, port.get());
    metadata
        .putFilterMetadata(Tunnels.ADDRESS_METADATA, struct("local", at))
        .putFilterMetadata(
            Tunnels.IDENTITY_METADATA, struct(Tunnels.IDENTITY_KEY, names(source, member)))
        .putFilterMetadata(SOCKET_MATCH, struct(TUNNEL, "true"));
    Address.Builder inner = Envoy.internal(Tunnels.ORIGINATE).toBuilder();
    // All have the same address, and of equal ones Envoy keeps one.
    inner.getEnvoyInternalAddressBuilder().setEndpointId(at);
    return Optional.of(
        endpoint
            .setEndpoint(Endpoint.newBuilder().setAddress(inner))
            .setMetadata(metadata)
            .build());
  }

  /** Its own, or one that the service says that its endpoints may have. */
  private static String names(Source source, Member member) {
    List<String> others = source.service().getSubjectAltNamesList();
    return others.isEmpty()
        ? member.identity()
        : member.identity() + "," + String.join(",", others);
  }

  private static Optional<Integer> port(Source source, Member member) {
    PortList ports =
        member
            .workload()
            .getServicesOrDefault(source.backend().service().key(), PortList.getDefaultInstance());
    return ports.getPortsList().stream()
        .filter(port -> port.getServicePort() == source.backend().port())
        .map(port -> port.getTargetPort())
        .filter(target -> target > 0)
        .findFirst();
  }

  private static Address socket(String address, int port) {
    return Address.newBuilder()
        .setSocketAddress(SocketAddress.newBuilder().setAddress(address).setPortValue(port))
        .build();
  }

  static Struct struct(String key, String value) {
    return Struct.newBuilder()
        .putFields(key, Value.newBuilder().setStringValue(value).build())
        .build();
  }
}
