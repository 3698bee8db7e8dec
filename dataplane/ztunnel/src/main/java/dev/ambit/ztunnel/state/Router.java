package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.EndpointChoice.Chosen;
import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * Routes connections by what the store holds. Where a waypoint is named but cannot be reached, or a
 * service has no endpoint to use, the connection is refused: traffic never goes around what was to
 * guard it.
 */
public final class Router implements MeshState {
  private static final int HBONE_PORT = 15008;

  private final MeshStore store;
  private final String network;
  private final Set<Integer> illegalPorts;
  private final Supplier<? extends RandomGenerator> random;

  /**
   * @param network the network of this node; empty is the default one
   * @param illegalPorts the ztunnel's own ports in each pod, which no one may be led to
   */
  public Router(MeshStore store, String network, Set<Integer> illegalPorts) {
    this(store, network, illegalPorts, ThreadLocalRandom::current);
  }

  Router(
      MeshStore store,
      String network,
      Set<Integer> illegalPorts,
      Supplier<? extends RandomGenerator> random) {
    this.store = store;
    this.network = network;
    this.illegalPorts = Set.copyOf(illegalPorts);
    this.random = random;
  }

  @Override
  public CompletionStage<MeshWorkload> local(LocalPod pod) {
    return store.local(pod);
  }

  @Override
  public @Nullable MeshWorkload byAddress(InetAddress address) {
    return store.workloadAt(new NetworkAddress(network, Addresses.canonical(address)));
  }

  @Override
  public OutboundRoute route(MeshWorkload source, InetSocketAddress destination) {
    InetAddress address = Addresses.canonical(destination.getAddress());
    InetSocketAddress target =
        address == destination.getAddress()
            ? destination
            : new InetSocketAddress(address, destination.getPort());
    NetworkAddress key = new NetworkAddress(network, address);
    MeshService service = store.serviceAt(key, source.namespace());
    if (service != null) {
      OutboundRoute route = toService(source, service, target);
      if (route != null) {
        return route;
      }
    }
    MeshWorkload workload = store.workloadAt(key);
    if (workload == null) {
      return new OutboundRoute.Plain(target, new Endpoint(null, service));
    }
    return toWorkload(source, workload, target);
  }

  /** Null: the service leaves the choice to the address that was asked for. */
  private @Nullable OutboundRoute toService(
      MeshWorkload source, MeshService service, InetSocketAddress target) {
    Endpoint named = new Endpoint(null, service);
    GatewayReference waypoint = waypoint(service);
    if (waypoint != null && !isGateway(source, waypoint)) {
      return throughWaypoint(source, waypoint, target, named);
    }
    if (service.loadBalancing().mode() == LoadBalancing.Mode.PASSTHROUGH) {
      return null;
    }
    ServiceEntry entry = store.entry(service.key());
    Chosen chosen =
        entry == null
            ? null
            : EndpointChoice.choose(
                entry, service, source, target.getPort(), target.getAddress(), random.get());
    if (entry == null || chosen == null) {
      return new OutboundRoute.Refused(noEndpoint(service, entry, target.getPort()), named);
    }
    Endpoint endpoint = new Endpoint(chosen.workload(), service);
    if (chosen.workload().tunnelProtocol() == TunnelProtocol.NONE) {
      return new OutboundRoute.Plain(chosen.address(), endpoint);
    }
    return new OutboundRoute.Tunnel(
        new InetSocketAddress(chosen.address().getAddress(), HBONE_PORT),
        authority(chosen.address()),
        identities(chosen.workload(), service),
        endpoint);
  }

  private OutboundRoute toWorkload(
      MeshWorkload source, MeshWorkload workload, InetSocketAddress target) {
    Endpoint endpoint = new Endpoint(workload, null);
    GatewayReference waypoint = workload.waypoint();
    if (waypoint != null && !isGateway(source, waypoint)) {
      return throughWaypoint(source, waypoint, target, endpoint);
    }
    return switch (workload.tunnelProtocol()) {
      case NONE -> new OutboundRoute.Plain(target, endpoint);
      case HBONE ->
          new OutboundRoute.Tunnel(
              new InetSocketAddress(target.getAddress(), HBONE_PORT),
              authority(target),
              List.of(workload.identity()),
              endpoint);
    };
  }

  private OutboundRoute throughWaypoint(
      MeshWorkload source,
      GatewayReference waypoint,
      InetSocketAddress target,
      Endpoint destination) {
    int port = waypoint.hbonePort() == 0 ? HBONE_PORT : waypoint.hbonePort();
    MeshService service = gatewayService(waypoint, source.namespace());
    if (service != null) {
      ServiceEntry entry = store.entry(service.key());
      Chosen chosen =
          entry == null
              ? null
              : EndpointChoice.chooseGateway(
                  entry, service, source, port, target.getAddress(), random.get());
      if (entry == null || chosen == null) {
        return new OutboundRoute.Refused(
            "waypoint " + waypoint + ": " + noEndpoint(service, entry, 0), destination);
      }
      return new OutboundRoute.Tunnel(
          chosen.address(), authority(target), identities(chosen.workload(), service), destination);
    }
    MeshWorkload gateway =
        switch (waypoint) {
          case GatewayReference.ByAddress(NetworkAddress address, int _) ->
              store.workloadAt(address);
          case GatewayReference.ByService _ -> null;
        };
    InetAddress address =
        gateway == null
            ? null
            : EndpointChoice.address(
                gateway, MeshService.IpFamilies.ANY, gatewayAddress(waypoint, target));
    if (gateway == null || address == null) {
      return new OutboundRoute.Refused("waypoint " + waypoint + " is not known", destination);
    }
    if (!gateway.network().equals(network)) {
      return new OutboundRoute.Refused(
          "waypoint " + waypoint + " is on network '" + gateway.network() + "', not this one",
          destination);
    }
    return new OutboundRoute.Tunnel(
        new InetSocketAddress(address, port),
        authority(target),
        List.of(gateway.identity()),
        destination);
  }

  private static InetAddress gatewayAddress(GatewayReference waypoint, InetSocketAddress target) {
    return switch (waypoint) {
      case GatewayReference.ByAddress(NetworkAddress address, int _) -> address.address();
      case GatewayReference.ByService _ -> target.getAddress();
    };
  }

  private @Nullable MeshService gatewayService(GatewayReference reference, String namespace) {
    return switch (reference) {
      case GatewayReference.ByService(ServiceKey key, int _) -> {
        ServiceEntry entry = store.entry(key);
        yield entry == null ? null : entry.service();
      }
      case GatewayReference.ByAddress(NetworkAddress address, int _) ->
          store.serviceAt(address, namespace);
    };
  }

  /** Whether {@code workload} is behind the gateway that {@code reference} names. */
  private boolean isGateway(MeshWorkload workload, GatewayReference reference) {
    MeshService service = gatewayService(reference, workload.namespace());
    if (service != null) {
      return workload.services().containsKey(service.key());
    }
    return switch (reference) {
      case GatewayReference.ByAddress(NetworkAddress address, int _) ->
          workload.network().equals(address.network())
              && workload.addresses().contains(address.address());
      case GatewayReference.ByService(ServiceKey key, int _) ->
          workload.services().containsKey(key);
    };
  }

  private @Nullable GatewayReference waypoint(MeshService service) {
    List<WeightedWaypoint> weighted = service.weightedWaypoints();
    if (weighted.isEmpty()) {
      return service.waypoint();
    }
    long total = 0;
    GatewayReference chosen = weighted.getFirst().waypoint();
    for (WeightedWaypoint candidate : weighted) {
      total += Math.max(0, candidate.weight());
      if (total > 0 && random.get().nextLong(total) < candidate.weight()) {
        chosen = candidate.waypoint();
      }
    }
    return chosen;
  }

  private String noEndpoint(MeshService service, @Nullable ServiceEntry entry, int port) {
    int count = entry == null ? 0 : entry.endpoints().length;
    if (entry == null || count == 0) {
      return "service " + service.key() + " has no endpoint";
    }
    boolean elsewhere = true;
    for (ServiceEntry.ServiceEndpoint endpoint : entry.endpoints()) {
      elsewhere &= !endpoint.workload().network().equals(network);
    }
    if (elsewhere) {
      return "service "
          + service.key()
          + " has endpoints on other networks only, which cannot be reached yet";
    }
    return "no healthy endpoint of the "
        + count
        + " of service "
        + service.key()
        + (port == 0 ? "" : " serves port " + port);
  }

  private static List<Identity> identities(MeshWorkload workload, MeshService service) {
    if (service.subjectAltNames().isEmpty()) {
      return List.of(workload.identity());
    }
    Set<Identity> all = new LinkedHashSet<>();
    all.add(workload.identity());
    all.addAll(service.subjectAltNames());
    return List.copyOf(all);
  }

  private static String authority(InetSocketAddress address) {
    String host = NetUtil.toAddressString(address.getAddress());
    return address.getAddress() instanceof Inet6Address
        ? "[" + host + "]:" + address.getPort()
        : host + ":" + address.getPort();
  }

  @Override
  public InboundRoute inbound(
      MeshWorkload self, InetSocketAddress tunnelDestination, String authority) {
    Authority asked = Authority.parse(authority);
    if (asked == null) {
      return new InboundRoute.Rejected(400, "malformed authority");
    }
    InetAddress address = asked.address();
    return address == null
        ? byHostname(self, asked)
        : byAddress(self, Addresses.canonical(tunnelDestination.getAddress()), address, asked);
  }

  private InboundRoute byAddress(
      MeshWorkload self, InetAddress tunnelAddress, InetAddress address, Authority asked) {
    boolean meansUs =
        address.equals(tunnelAddress)
            || self.applicationTunnel() != null
            || isWaypointOf(self, new NetworkAddress(network, address));
    if (!meansUs) {
      return new InboundRoute.Rejected(
          400, "the tunnel leads to " + tunnelAddress.getHostAddress() + ", not to the authority");
    }
    return toPort(self, asked.port(), null);
  }

  private InboundRoute byHostname(MeshWorkload self, Authority asked) {
    MeshService service = store.serviceNamed(asked.hostname(), self.namespace());
    if (service == null) {
      return new InboundRoute.Rejected(503, "unknown service " + asked.hostname());
    }
    List<PortMapping> own = self.services().getOrDefault(service.key(), List.of());
    int port = EndpointChoice.targetPort(own, service, asked.port());
    if (port == 0) {
      port = EndpointChoice.serviceTargetPort(service, asked.port());
    }
    if (port == 0 && self.applicationTunnel() == null) {
      return new InboundRoute.Rejected(
          503, "service " + service.key() + " leads port " + asked.port() + " nowhere");
    }
    return toPort(self, port, service);
  }

  private InboundRoute toPort(MeshWorkload self, int asked, @Nullable MeshService service) {
    ApplicationTunnel tunnel = self.applicationTunnel();
    int port = tunnel != null && tunnel.port() != 0 ? tunnel.port() : asked;
    if (port == 0 || illegalPorts.contains(port)) {
      return new InboundRoute.Rejected(503, "port " + port + " is not for connections");
    }
    return new InboundRoute.Accepted(port, service);
  }

  private boolean isWaypointOf(MeshWorkload self, NetworkAddress address) {
    MeshService service = store.serviceAt(address, self.namespace());
    if (service != null) {
      GatewayReference waypoint = service.waypoint();
      if (waypoint != null && isGateway(self, waypoint)) {
        return true;
      }
      for (WeightedWaypoint weighted : service.weightedWaypoints()) {
        if (isGateway(self, weighted.waypoint())) {
          return true;
        }
      }
      return false;
    }
    MeshWorkload workload = store.workloadAt(address);
    GatewayReference waypoint = workload == null ? null : workload.waypoint();
    return waypoint != null && isGateway(self, waypoint);
  }
}
