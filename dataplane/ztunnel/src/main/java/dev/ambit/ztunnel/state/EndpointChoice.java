package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.state.ServiceEntry.ServiceEndpoint;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Chooses an endpoint of a service for a connection. Holds no state, allocates one result. */
final class EndpointChoice {
  // A service whose endpoints are mostly fit is served by a few throws of the dice, whatever its
  // size; the exact scan comes after.
  private static final int THROWS = 4;

  private EndpointChoice() {}

  /**
   * An endpoint and the address and port of it to use; the address is unresolved where the endpoint
   * has a hostname alone.
   */
  record Chosen(MeshWorkload workload, InetSocketAddress address) {}

  /**
   * Chooses by health, port, address family, locality and capacity.
   *
   * @param servicePort the port that was asked for
   * @param wanted the address that was asked for, whose family is preferred
   * @param without uids of endpoints that are not to be chosen
   * @return null where no endpoint will do
   */
  static @Nullable Chosen choose(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      InetAddress wanted,
      Set<String> without,
      RandomGenerator random) {
    return choose(entry, service, source, servicePort, wanted, without, random, false);
  }

  /**
   * As {@link #choose}, for a service that stands for a gateway: its {@code port} may be mapped as
   * any port, and where it is not, is the endpoint's own.
   */
  static @Nullable Chosen chooseGateway(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int port,
      InetAddress wanted,
      Set<String> without,
      RandomGenerator random) {
    return choose(entry, service, source, port, wanted, without, random, true);
  }

  private static @Nullable Chosen choose(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      InetAddress wanted,
      Set<String> without,
      RandomGenerator random,
      boolean gateway) {
    ServiceEndpoint[] endpoints = entry.endpoints();
    if (endpoints.length == 0) {
      return null;
    }
    LoadBalancing balancing = service.loadBalancing();
    if (preferences(balancing).isEmpty() && entry.hasEqualCapacity()) {
      for (int i = 0; i < THROWS; i++) {
        ServiceEndpoint endpoint = endpoints[random.nextInt(endpoints.length)];
        if (fits(endpoint, service, source, servicePort, gateway, wanted, without)) {
          return use(endpoint, service, servicePort, gateway, wanted);
        }
      }
    }
    return scan(endpoints, service, source, servicePort, gateway, wanted, without, random);
  }

  private static List<LoadBalancing.Scope> preferences(LoadBalancing balancing) {
    return switch (balancing.mode()) {
      case STRICT, FAILOVER -> balancing.routingPreference();
      case ANY, PASSTHROUGH -> List.of();
    };
  }

  private static @Nullable Chosen scan(
      ServiceEndpoint[] endpoints,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      boolean gateway,
      InetAddress wanted,
      Set<String> without,
      RandomGenerator random) {
    LoadBalancing balancing = service.loadBalancing();
    List<LoadBalancing.Scope> preferences = preferences(balancing);
    int bestRank = balancing.mode() == LoadBalancing.Mode.STRICT ? preferences.size() : 0;
    long total = 0;
    ServiceEndpoint best = null;
    for (ServiceEndpoint endpoint : endpoints) {
      long capacity = Integer.toUnsignedLong(endpoint.workload().capacity());
      if (capacity == 0
          || !fits(endpoint, service, source, servicePort, gateway, wanted, without)) {
        continue;
      }
      int rank = rank(preferences, source, endpoint.workload());
      if (rank < bestRank) {
        continue;
      }
      if (rank > bestRank) {
        bestRank = rank;
        total = 0;
      }
      // Each of the best so far stays with the probability of its share.
      total += capacity;
      if (random.nextLong(total) < capacity) {
        best = endpoint;
      }
    }
    return best == null ? null : use(best, service, servicePort, gateway, wanted);
  }

  private static boolean fits(
      ServiceEndpoint endpoint,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      boolean gateway,
      InetAddress wanted,
      Set<String> without) {
    MeshWorkload workload = endpoint.workload();
    boolean fitForTraffic =
        workload.healthy()
            || service.loadBalancing().healthPolicy() == LoadBalancing.HealthPolicy.ALLOW_ALL;
    return fitForTraffic
        && workload.network().equals(source.network())
        && (gateway || targetPort(endpoint.ports(), service, servicePort) > 0)
        && (address(workload, service.ipFamilies(), wanted) != null
            || !workload.hostname().isEmpty())
        && (without.isEmpty() || !without.contains(workload.uid()));
  }

  private static Chosen use(
      ServiceEndpoint endpoint,
      MeshService service,
      int servicePort,
      boolean gateway,
      InetAddress wanted) {
    MeshWorkload workload = endpoint.workload();
    int mapped = targetPort(endpoint.ports(), service, servicePort);
    int port = gateway && mapped == 0 ? servicePort : mapped;
    InetAddress address = address(workload, service.ipFamilies(), wanted);
    return new Chosen(
        workload,
        address == null
            ? InetSocketAddress.createUnresolved(workload.hostname(), port)
            : new InetSocketAddress(address, port));
  }

  /**
   * The workload's port for {@code servicePort}: its own mapping, else the service's; 0 where there
   * is none, or the service does not have the port.
   */
  static int targetPort(List<PortMapping> ports, MeshService service, int servicePort) {
    int target = serviceTargetPort(service, servicePort);
    if (target < 0) {
      return 0;
    }
    for (int i = 0; i < ports.size(); i++) {
      PortMapping port = ports.get(i);
      if (port.servicePort() == servicePort && port.targetPort() != 0) {
        return port.targetPort();
      }
    }
    return target;
  }

  /** The service's own target for {@code servicePort}: 0 where it names it, -1 without the port. */
  private static int serviceTargetPort(MeshService service, int servicePort) {
    for (int i = 0; i < service.ports().size(); i++) {
      PortMapping port = service.ports().get(i);
      if (port.servicePort() == servicePort) {
        return port.targetPort();
      }
    }
    return -1;
  }

  /** The address to use: the wanted one if it is the workload's, else one of its family. */
  static @Nullable InetAddress address(
      MeshWorkload workload, MeshService.IpFamilies families, InetAddress wanted) {
    return address(workload.addresses(), families, wanted);
  }

  /** Of {@code addresses} the wanted one, else the first of its family, else any allowed one. */
  static @Nullable InetAddress address(
      List<InetAddress> addresses, MeshService.IpFamilies families, InetAddress wanted) {
    InetAddress other = null;
    InetAddress sameFamily = null;
    boolean wantedIpv4 = wanted instanceof Inet4Address;
    for (int i = 0; i < addresses.size(); i++) {
      InetAddress address = addresses.get(i);
      if (address.equals(wanted)) {
        return address;
      }
      boolean ipv4 = address instanceof Inet4Address;
      boolean allowed =
          switch (families) {
            case ANY, DUAL -> true;
            case IPV4_ONLY -> ipv4;
            case IPV6_ONLY -> !ipv4;
          };
      if (!allowed) {
        continue;
      }
      if (ipv4 == wantedIpv4) {
        sameFamily = sameFamily == null ? address : sameFamily;
      } else {
        other = other == null ? address : other;
      }
    }
    return sameFamily != null ? sameFamily : other;
  }

  /** How many leading preferences caller and endpoint have in common. */
  private static int rank(
      List<LoadBalancing.Scope> preferences, MeshWorkload source, MeshWorkload endpoint) {
    int rank = 0;
    for (int i = 0; i < preferences.size(); i++) {
      boolean same =
          switch (preferences.get(i)) {
            case REGION -> source.locality().region().equals(endpoint.locality().region());
            case ZONE -> source.locality().zone().equals(endpoint.locality().zone());
            case SUBZONE -> source.locality().subzone().equals(endpoint.locality().subzone());
            case NODE -> source.node().equals(endpoint.node());
            case CLUSTER -> source.clusterId().equals(endpoint.clusterId());
            case NETWORK -> source.network().equals(endpoint.network());
          };
      if (!same) {
        break;
      }
      rank++;
    }
    return rank;
  }
}
