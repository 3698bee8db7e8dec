package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Service.Visibility;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntryAddress;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntryResolution;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What a ServiceEntry says, and the services that it makes, one for each of its hosts. */
public final class ServiceEntries {
  /** A label that with the value "false" keeps a ServiceEntry's hosts without addresses. */
  private static final String AUTO_ALLOCATE = "networking.istio.io/enable-autoallocate-ip";

  private ServiceEntries() {}

  /** Whether the mesh knows it: one of another revision, or exported to nobody, it does not. */
  static boolean known(ServiceEntry entry) {
    return entry.getSpec() != null
        && Revision.isOurs(entry)
        && !exportTo(entry).equals(Set.of("~"));
  }

  /** Its hosts, in their order. */
  public static SequencedSet<String> hosts(ServiceEntry entry) {
    SequencedSet<String> hosts = new LinkedHashSet<>();
    if (entry.getSpec() != null && entry.getSpec().getHosts() != null) {
      entry.getSpec().getHosts().stream()
          .filter(host -> host != null && !host.isEmpty())
          .forEach(hosts::add);
    }
    return hosts;
  }

  static Map<String, String> selector(ServiceEntry entry) {
    return entry.getSpec() == null
            || entry.getSpec().getWorkloadSelector() == null
            || entry.getSpec().getWorkloadSelector().getLabels() == null
        ? Map.of()
        : entry.getSpec().getWorkloadSelector().getLabels();
  }

  static ServiceEntryResolution resolution(ServiceEntry entry) {
    return entry.getSpec().getResolution() == null
        ? ServiceEntryResolution.NONE
        : entry.getSpec().getResolution();
  }

  /** Whether each host is its own endpoint, to be looked up when it is needed. */
  static boolean hostsAreEndpoints(ServiceEntry entry) {
    boolean none =
        (entry.getSpec().getEndpoints() == null || entry.getSpec().getEndpoints().isEmpty())
            && entry.getSpec().getWorkloadSelector() == null;
    return none
        && switch (resolution(entry)) {
          case DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS -> true;
          case NONE, STATIC -> false;
        };
  }

  /** The hosts that are to be given addresses of the mesh's own, since the user gives none. */
  public static SequencedSet<String> hostsToAllocate(ServiceEntry entry) {
    SequencedSet<String> hosts = new LinkedHashSet<>();
    Map<String, String> labels = entry.getMetadata().getLabels();
    if (!known(entry)
        || resolution(entry) == ServiceEntryResolution.NONE
        || (entry.getSpec().getAddresses() != null && !entry.getSpec().getAddresses().isEmpty())
        || (labels != null && "false".equalsIgnoreCase(labels.get(AUTO_ALLOCATE)))) {
      return hosts;
    }
    for (String host : hosts(entry)) {
      // What a wildcard's address stands for only the host name in the request tells.
      if (!host.startsWith("*") || resolution(entry) == ServiceEntryResolution.DYNAMIC_DNS) {
        hosts.add(host);
      }
    }
    return hosts;
  }

  /** Whether a host has no address of its own, and is to be given none. */
  static boolean isHeadless(ServiceEntry entry, String host) {
    List<String> given = entry.getSpec().getAddresses();
    return given == null || given.isEmpty()
        ? !hostsToAllocate(entry).contains(host)
        : addresses(entry, host).isEmpty();
  }

  /**
   * Whether other namespaces see it. {@code exportTo} can say more than the workload API: a list of
   * namespaces counts as all, unless it is the entry's own alone.
   */
  static boolean shared(ServiceEntry entry) {
    Set<String> exportTo = exportTo(entry);
    return exportTo.isEmpty()
        || !Set.of(".", entry.getMetadata().getNamespace()).containsAll(exportTo);
  }

  private static Set<String> exportTo(ServiceEntry entry) {
    return entry.getSpec().getExportTo() == null
        ? Set.of()
        : new LinkedHashSet<>(entry.getSpec().getExportTo());
  }

  /** The service of one of its hosts. */
  static Address address(
      ServiceEntry entry,
      String host,
      boolean canonical,
      @Nullable String namespaceDistribution,
      WaypointBinding waypoint) {
    dev.ambit.protocol.workload.Service.Builder builder =
        dev.ambit.protocol.workload.Service.newBuilder()
            .setName(entry.getMetadata().getName())
            .setNamespace(entry.getMetadata().getNamespace())
            .setHostname(host)
            .addAllAddresses(addresses(entry, host))
            .addAllPorts(ServicePorts.of(entry))
            .setCanonical(canonical)
            .setVisibility(shared(entry) ? Visibility.PUBLIC : Visibility.NAMESPACE);
    if (entry.getSpec().getSubjectAltNames() != null) {
      builder.addAllSubjectAltNames(entry.getSpec().getSubjectAltNames());
    }
    LoadBalancing loadBalancing = loadBalancing(entry, namespaceDistribution);
    if (!loadBalancing.equals(LoadBalancing.getDefaultInstance())) {
      builder.setLoadBalancing(loadBalancing);
    }
    ServiceAddress.bind(builder, waypoint);
    return Address.newBuilder().setService(builder).build();
  }

  private static List<NetworkAddress> addresses(ServiceEntry entry, String host) {
    List<NetworkAddress> addresses = new ArrayList<>();
    List<String> given = entry.getSpec().getAddresses();
    if (given != null && !given.isEmpty()) {
      for (String address : given) {
        IpAddresses.parseBlock(address)
            .ifPresent(
                block -> {
                  NetworkAddress.Builder builder =
                      NetworkAddress.newBuilder().setAddress(block.address());
                  if (block.length() < block.address().size() * 8) {
                    builder.setLength(block.length());
                  }
                  addresses.add(builder.build());
                });
      }
      return addresses;
    }
    if (hostsToAllocate(entry).contains(host)) {
      for (ByteString address : allocated(entry, host)) {
        addresses.add(NetworkAddress.newBuilder().setAddress(address).build());
      }
    }
    return addresses;
  }

  /** The addresses that its status gives a host. */
  static List<ByteString> allocated(ServiceEntry entry, String host) {
    List<ByteString> addresses = new ArrayList<>();
    if (entry.getStatus() != null && entry.getStatus().getAddresses() != null) {
      for (ServiceEntryAddress address : entry.getStatus().getAddresses()) {
        if (host.equals(address.getHost())) {
          IpAddresses.parse(address.getValue()).ifPresent(addresses::add);
        }
      }
    }
    return addresses;
  }

  private static LoadBalancing loadBalancing(
      ServiceEntry entry, @Nullable String namespaceDistribution) {
    LoadBalancing.Builder builder = LoadBalancing.newBuilder();
    if (resolution(entry) == ServiceEntryResolution.NONE) {
      // The connection goes where it was going, whatever is known of that place.
      return builder
          .setMode(LoadBalancing.Mode.PASSTHROUGH)
          .setHealthPolicy(LoadBalancing.HealthPolicy.ALLOW_ALL)
          .build();
    }
    List<LoadBalancing.Scope> scopes =
        ServiceAddress.scopes(ServiceAddress.annotatedDistribution(entry, namespaceDistribution));
    if (!scopes.isEmpty()) {
      builder.setMode(LoadBalancing.Mode.FAILOVER).addAllRoutingPreference(scopes);
    }
    return builder.build();
  }
}
