package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.state.ServiceEntry.ServiceEndpoint;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/** Chooses an endpoint of a service for a connection. Holds no state, allocates one result. */
final class EndpointChoice {
  // A service whose endpoints are mostly fit is served by a few throws of the dice, whatever its
  // size; the exact scan comes after.
  private static final int THROWS = 4;
  private static final int ANY_PORT = -1;

  private EndpointChoice() {}

  /** An endpoint and the address and port of it to use. */
  record Chosen(MeshWorkload workload, InetSocketAddress address) {}

  /**
   * Chooses by health, port, address family, locality and capacity.
   *
   * @param servicePort the port that was asked for
   * @param wanted the address that was asked for, whose family is preferred
   * @return null where no endpoint will do
   */
  static @Nullable Chosen choose(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      InetAddress wanted,
      RandomGenerator random) {
    return choose(entry, service, source, servicePort, wanted, random, 0);
  }

  /** As {@link #choose}, but always with {@code port}, whatever the service's ports are. */
  static @Nullable Chosen chooseGateway(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int port,
      InetAddress wanted,
      RandomGenerator random) {
    return choose(entry, service, source, ANY_PORT, wanted, random, port);
  }

  private static @Nullable Chosen choose(
      ServiceEntry entry,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      InetAddress wanted,
      RandomGenerator random,
      int gatewayPort) {
    ServiceEndpoint[] endpoints = entry.endpoints();
    if (endpoints.length == 0) {
      return null;
    }
    LoadBalancing balancing = service.loadBalancing();
    if (balancing.routingPreference().isEmpty() && entry.hasEqualCapacity()) {
      for (int i = 0; i < THROWS; i++) {
        ServiceEndpoint endpoint = endpoints[random.nextInt(endpoints.length)];
        Chosen chosen = use(endpoint, service, source, servicePort, gatewayPort, wanted);
        if (chosen != null) {
          return chosen;
        }
      }
    }
    return scan(endpoints, service, source, servicePort, gatewayPort, wanted, random);
  }

  private static @Nullable Chosen scan(
      ServiceEndpoint[] endpoints,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      int gatewayPort,
      InetAddress wanted,
      RandomGenerator random) {
    LoadBalancing balancing = service.loadBalancing();
    int preferences = balancing.routingPreference().size();
    int bestRank = balancing.mode() == LoadBalancing.Mode.STRICT ? preferences : 0;
    long total = 0;
    ServiceEndpoint best = null;
    for (ServiceEndpoint endpoint : endpoints) {
      int capacity = endpoint.workload().capacity();
      if (capacity <= 0 || !fits(endpoint, service, source, servicePort, wanted)) {
        continue;
      }
      int rank = rank(balancing.routingPreference(), source, endpoint.workload());
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
    return best == null ? null : use(best, service, source, servicePort, gatewayPort, wanted);
  }

  private static boolean fits(
      ServiceEndpoint endpoint,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      InetAddress wanted) {
    MeshWorkload workload = endpoint.workload();
    boolean fitForTraffic =
        workload.healthy()
            || service.loadBalancing().healthPolicy() == LoadBalancing.HealthPolicy.ALLOW_ALL;
    return fitForTraffic
        && workload.network().equals(source.network())
        && (servicePort == ANY_PORT || targetPort(endpoint.ports(), service, servicePort) > 0)
        && address(workload, service.ipFamilies(), wanted) != null;
  }

  private static @Nullable Chosen use(
      ServiceEndpoint endpoint,
      MeshService service,
      MeshWorkload source,
      int servicePort,
      int gatewayPort,
      InetAddress wanted) {
    if (!fits(endpoint, service, source, servicePort, wanted)) {
      return null;
    }
    InetAddress address = address(endpoint.workload(), service.ipFamilies(), wanted);
    int port =
        servicePort == ANY_PORT
            ? gatewayPort
            : targetPort(endpoint.ports(), service, servicePort);
    return address == null
        ? null
        : new Chosen(endpoint.workload(), new InetSocketAddress(address, port));
  }

  /** The workload's port for {@code servicePort}; 0 where there is none. */
  static int targetPort(List<PortMapping> ports, MeshService service, int servicePort) {
    for (int i = 0; i < ports.size(); i++) {
      PortMapping port = ports.get(i);
      if (port.servicePort() == servicePort) {
        return port.targetPort() != 0 ? port.targetPort() : serviceTargetPort(service, servicePort);
      }
    }
    return 0;
  }

  /** The service's own target for {@code servicePort}; 0 where it has none or names it. */
  static int serviceTargetPort(MeshService service, int servicePort) {
    for (int i = 0; i < service.ports().size(); i++) {
      PortMapping port = service.ports().get(i);
      if (port.servicePort() == servicePort) {
        return port.targetPort();
      }
    }
    return 0;
  }

  /** The address to use: the wanted one if it is the workload's, else one of its family. */
  static @Nullable InetAddress address(
      MeshWorkload workload, MeshService.IpFamilies families, InetAddress wanted) {
    InetAddress other = null;
    InetAddress sameFamily = null;
    boolean wantedIpv4 = wanted instanceof Inet4Address;
    List<InetAddress> addresses = workload.addresses();
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
