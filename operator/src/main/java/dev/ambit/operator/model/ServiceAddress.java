package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.NetworkAddress;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceSpec;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A Kubernetes Service as the workload API has it. */
final class ServiceAddress {
  /** Istio's annotation, on Services and Namespaces. */
  static final String TRAFFIC_DISTRIBUTION = "networking.istio.io/traffic-distribution";

  private ServiceAddress() {}

  /** Whether the mesh knows such services at all: an ExternalName is DNS's own affair. */
  static boolean known(Service service) {
    return service.getSpec() != null && !"ExternalName".equals(service.getSpec().getType());
  }

  /** Whether it has no address of its own. */
  static boolean isHeadless(Service service) {
    return known(service) && addresses(service).isEmpty();
  }

  /**
   * Translates.
   *
   * @param namespaceDistribution the traffic distribution that the namespace sets, if any
   */
  static Optional<Address> of(
      MeshSettings settings,
      Service service,
      @Nullable String namespaceDistribution,
      WaypointBinding waypoint) {
    if (!known(service)) {
      return Optional.empty();
    }
    String name = service.getMetadata().getName();
    String namespace = service.getMetadata().getNamespace();
    dev.ambit.protocol.workload.Service.Builder builder =
        dev.ambit.protocol.workload.Service.newBuilder()
            .setName(name)
            .setNamespace(namespace)
            .setHostname(settings.hostname(namespace, name))
            .addAllPorts(ServicePorts.of(service))
            .addAllDatagramPorts(ServicePorts.datagramsOf(service))
            .setIpFamilies(families(service.getSpec()))
            .setCanonical(true);
    for (ByteString address : addresses(service)) {
      builder.addAddresses(NetworkAddress.newBuilder().setAddress(address));
    }
    loadBalancing(service, namespaceDistribution).ifPresent(builder::setLoadBalancing);
    bind(builder, waypoint);
    return Optional.of(Address.newBuilder().setService(builder).build());
  }

  static void bind(dev.ambit.protocol.workload.Service.Builder builder, WaypointBinding waypoint) {
    waypoint.address().ifPresent(builder::setWaypoint);
    builder.addAllWeightedWaypoints(waypoint.weighted()).setIngressUseWaypoint(waypoint.ingress());
  }

  /**
   * Not those of load balancers: several services may share one, and in some clusters they are the
   * nodes' own.
   */
  private static Set<ByteString> addresses(Service service) {
    Set<ByteString> addresses = new LinkedHashSet<>();
    ServiceSpec spec = service.getSpec();
    List<String> clusterIps = new ArrayList<>();
    if (spec.getClusterIPs() != null && !spec.getClusterIPs().isEmpty()) {
      clusterIps.addAll(spec.getClusterIPs());
    } else if (spec.getClusterIP() != null) {
      clusterIps.add(spec.getClusterIP());
    }
    // "None", of a headless service, is no address.
    clusterIps.forEach(text -> IpAddresses.parse(text).ifPresent(addresses::add));
    return addresses;
  }

  private static IPFamilies families(ServiceSpec spec) {
    List<String> families = spec.getIpFamilies() == null ? List.of() : spec.getIpFamilies();
    boolean four = families.contains("IPv4");
    boolean six = families.contains("IPv6");
    if (four && six) {
      return IPFamilies.DUAL;
    }
    if (four) {
      return IPFamilies.IPV4_ONLY;
    }
    return six ? IPFamilies.IPV6_ONLY : IPFamilies.AUTOMATIC;
  }

  private static Optional<LoadBalancing> loadBalancing(
      Service service, @Nullable String namespaceDistribution) {
    ServiceSpec spec = service.getSpec();
    LoadBalancing.Builder builder = LoadBalancing.newBuilder();
    if ("Local".equals(spec.getInternalTrafficPolicy())) {
      builder.setMode(LoadBalancing.Mode.STRICT).addRoutingPreference(LoadBalancing.Scope.NODE);
    } else {
      List<LoadBalancing.Scope> scopes = scopes(distribution(service, namespaceDistribution));
      if (!scopes.isEmpty()) {
        builder.setMode(LoadBalancing.Mode.FAILOVER).addAllRoutingPreference(scopes);
      }
    }
    if (Boolean.TRUE.equals(spec.getPublishNotReadyAddresses())) {
      builder.setHealthPolicy(LoadBalancing.HealthPolicy.ALLOW_ALL);
    }
    LoadBalancing built = builder.build();
    return built.equals(LoadBalancing.getDefaultInstance()) ? Optional.empty() : Optional.of(built);
  }

  private static String distribution(Service service, @Nullable String namespaceDistribution) {
    return service.getSpec().getTrafficDistribution() != null
        ? service.getSpec().getTrafficDistribution()
        : annotatedDistribution(service, namespaceDistribution);
  }

  static String annotatedDistribution(HasMetadata object, @Nullable String namespaceDistribution) {
    if (object.getMetadata().getAnnotations() != null) {
      String annotated = object.getMetadata().getAnnotations().get(TRAFFIC_DISTRIBUTION);
      if (annotated != null) {
        return annotated;
      }
    }
    return namespaceDistribution == null ? "" : namespaceDistribution;
  }

  static List<LoadBalancing.Scope> scopes(String distribution) {
    // Istio takes its annotation in any case.
    return switch (distribution.toLowerCase(Locale.ROOT)) {
      // Kubernetes has renamed the first to the second.
      case "preferclose", "prefersamezone" ->
          List.of(
              LoadBalancing.Scope.NETWORK, LoadBalancing.Scope.REGION, LoadBalancing.Scope.ZONE);
      case "prefersamenode" ->
          List.of(
              LoadBalancing.Scope.NETWORK,
              LoadBalancing.Scope.REGION,
              LoadBalancing.Scope.ZONE,
              LoadBalancing.Scope.SUBZONE,
              LoadBalancing.Scope.NODE);
      default -> List.of();
    };
  }
}
