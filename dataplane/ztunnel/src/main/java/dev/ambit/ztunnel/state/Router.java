package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.EndpointChoice.Chosen;
import io.netty.util.NetUtil;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
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
  private final HostnameResolver resolver;
  private final @Nullable Demand demand;
  private final Supplier<? extends RandomGenerator> random;

  /**
   * For a mesh whose control plane sends everything, and gives no workload by name alone.
   *
   * @param network the network of this node; empty is the default one
   * @param illegalPorts the ztunnel's own ports in each pod, which no one may be led to
   */
  public Router(MeshStore store, String network, Set<Integer> illegalPorts) {
    this(store, network, illegalPorts, Router::unresolvable, null);
  }

  /**
   * @param network the network of this node; empty is the default one
   * @param illegalPorts the ztunnel's own ports in each pod, which no one may be led to
   * @param resolver for workloads that have no addresses
   * @param demand asks for what the store lacks; null where it is sent everything
   */
  public Router(
      MeshStore store,
      String network,
      Set<Integer> illegalPorts,
      HostnameResolver resolver,
      @Nullable Demand demand) {
    this(store, network, illegalPorts, resolver, demand, ThreadLocalRandom::current);
  }

  Router(
      MeshStore store,
      String network,
      Set<Integer> illegalPorts,
      HostnameResolver resolver,
      @Nullable Demand demand,
      Supplier<? extends RandomGenerator> random) {
    this.store = store;
    this.network = network;
    this.illegalPorts = Set.copyOf(illegalPorts);
    this.resolver = resolver;
    this.demand = demand;
    this.random = random;
  }

  static CompletionStage<List<InetAddress>> unresolvable(
      MeshWorkload source, MeshWorkload workload) {
    return CompletableFuture.failedFuture(new IllegalStateException("nothing resolves names here"));
  }

  @Override
  public CompletionStage<MeshWorkload> local(LocalPod pod) {
    return store.local(pod);
  }

  @Override
  public @Nullable MeshWorkload byAddress(InetAddress address) {
    NetworkAddress key = new NetworkAddress(network, Addresses.canonical(address));
    MeshWorkload found = store.workloadAt(key);
    if (demand != null) {
      // Nobody waits for it: it is for telemetry alone, and there next time.
      var unawaited = missing(key, null, found);
    }
    return found;
  }

  @Override
  public OutboundRoute route(
      MeshWorkload source, InetSocketAddress destination, Set<String> without) {
    InetAddress address = Addresses.canonical(destination.getAddress());
    InetSocketAddress target =
        address == destination.getAddress()
            ? destination
            : new InetSocketAddress(address, destination.getPort());
    NetworkAddress key = new NetworkAddress(network, address);
    MeshService service = store.serviceAt(key, source.namespace());
    MeshWorkload workload = service == null ? store.workloadAt(key) : null;
    if (demand != null) {
      CompletionStage<Void> answer = missing(key, service, workload);
      if (answer != null) {
        return again(answer, source, target, without, Endpoint.UNKNOWN);
      }
    }
    if (service != null) {
      OutboundRoute route = toService(source, service, target, without);
      if (route != null) {
        return route;
      }
      workload = store.workloadAt(key);
    }
    if (workload == null) {
      return new OutboundRoute.Plain(target, new Endpoint(null, service));
    }
    return toWorkload(source, workload, target, without);
  }

  @Override
  public OutboundRoute datagrams(
      MeshWorkload source, InetSocketAddress destination, Set<String> without) {
    InetAddress address = Addresses.canonical(destination.getAddress());
    InetSocketAddress target = new InetSocketAddress(address, destination.getPort());
    NetworkAddress key = new NetworkAddress(network, address);
    MeshService service = store.serviceAt(key, source.namespace());
    if (service == null || service.loadBalancing().mode() == LoadBalancing.Mode.PASSTHROUGH) {
      MeshWorkload workload = store.workloadAt(key);
      return workload == null
          ? new OutboundRoute.Plain(target, new Endpoint(null, service))
          : datagramsTo(workload, target, List.of(workload.identity()), null, "");
    }
    ServiceEntry entry = store.entry(service.key());
    Chosen chosen =
        entry == null
            ? null
            : EndpointChoice.choose(
                entry,
                service,
                source,
                PortMapping.datagrams(target.getPort()),
                address,
                without,
                random.get());
    if (entry == null || chosen == null) {
      return new OutboundRoute.Refused(
          noEndpoint(service, entry, target.getPort()), new Endpoint(null, service));
    }
    MeshWorkload workload = chosen.workload();
    if (chosen.address().isUnresolved()) {
      return new OutboundRoute.Refused(
          "workload " + workload.uid() + " has no address",
          new Endpoint(workload, service),
          workload.uid());
    }
    return datagramsTo(
        workload, chosen.address(), identities(workload, service), service, workload.uid());
  }

  private static OutboundRoute datagramsTo(
      MeshWorkload workload,
      InetSocketAddress target,
      List<Identity> expected,
      @Nullable MeshService service,
      String chosen) {
    Endpoint endpoint = new Endpoint(workload, service);
    return workload.tunnelProtocol() == TunnelProtocol.HBONE && workload.datagrams()
        ? new OutboundRoute.Tunnel(
            new InetSocketAddress(target.getAddress(), HBONE_PORT),
            authority(target),
            expected,
            endpoint,
            chosen)
        : new OutboundRoute.Plain(target, endpoint, chosen);
  }

  @Override
  public @Nullable MeshWorkload workload(String uid) {
    return store.workload(uid);
  }

  // -- what has to be asked for

  /** Null where what {@code key} stands for is known. */
  private @Nullable CompletionStage<Void> missing(
      NetworkAddress key, @Nullable MeshService service, @Nullable MeshWorkload workload) {
    Demand asked = demand;
    if (asked == null) {
      return null;
    }
    if (service == null && workload == null) {
      return asked.ask(key.toString());
    }
    asked.used(key.toString());
    if (service != null) {
      asked.used(service.key().toString());
    } else if (workload != null) {
      asked.used(workload.uid());
    }
    return null;
  }

  /** Null where what is known of {@code gateway} is all there is. */
  private @Nullable CompletionStage<Void> missing(GatewayReference gateway, String namespace) {
    Demand asked = demand;
    if (asked == null) {
      return null;
    }
    MeshService service = gatewayService(gateway, namespace);
    MeshWorkload workload = gatewayWorkload(gateway);
    return switch (gateway) {
      case GatewayReference.ByAddress(NetworkAddress address, int _) ->
          missing(address, service, workload);
      case GatewayReference.ByService(ServiceKey key, int _) -> {
        if (service == null && workload == null) {
          yield asked.ask(key.toString());
        }
        asked.used(key.toString());
        if (workload != null) {
          asked.used(workload.uid());
        }
        yield null;
      }
    };
  }

  private OutboundRoute again(
      CompletionStage<Void> answer,
      MeshWorkload source,
      InetSocketAddress target,
      Set<String> without,
      Endpoint destination) {
    return new OutboundRoute.Awaited(
        answer
            .handle((nothing, failure) -> failure)
            .thenCompose(
                failure ->
                    failure == null
                        ? settled(route(source, target, without))
                        : CompletableFuture.completedStage(
                            new OutboundRoute.Refused(
                                "the control plane was asked for it: " + text(failure),
                                destination))),
        destination);
  }

  private static CompletionStage<OutboundRoute> settled(OutboundRoute route) {
    return switch (route) {
      case OutboundRoute.Awaited awaited -> awaited.route();
      case OutboundRoute.Tunnel _, OutboundRoute.Plain _, OutboundRoute.Refused _ ->
          CompletableFuture.completedStage(route);
    };
  }

  // -- names

  /** Goes on by {@code then} with an address of {@code workload}, looked up where it has none. */
  private OutboundRoute located(
      MeshWorkload source,
      MeshWorkload workload,
      InetSocketAddress at,
      MeshService.IpFamilies families,
      InetAddress wanted,
      Endpoint destination,
      String chosen,
      Function<InetSocketAddress, OutboundRoute> then) {
    if (!at.isUnresolved()) {
      return then.apply(at);
    }
    return new OutboundRoute.Awaited(
        resolver
            .resolve(source, workload)
            .handle(
                (addresses, failure) -> {
                  InetAddress address =
                      addresses == null
                          ? null
                          : EndpointChoice.address(shuffled(addresses), families, wanted);
                  if (address != null) {
                    return then.apply(new InetSocketAddress(address, at.getPort()));
                  }
                  return new OutboundRoute.Refused(
                      "workload "
                          + workload.uid()
                          + " has no address, and its hostname '"
                          + workload.hostname()
                          + "' none either: "
                          + (failure == null ? "none of a fitting family" : text(failure)),
                      destination,
                      chosen);
                }),
        destination);
  }

  /** From a place by chance on, so that all addresses of a name take their share. */
  private List<InetAddress> shuffled(List<InetAddress> addresses) {
    if (addresses.size() < 2) {
      return addresses;
    }
    List<InetAddress> turned = new java.util.ArrayList<>(addresses);
    java.util.Collections.rotate(turned, random.get().nextInt(turned.size()));
    return turned;
  }

  private static String text(Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }

  // -- where connections go

  /** Null: the service leaves the choice to the address that was asked for. */
  private @Nullable OutboundRoute toService(
      MeshWorkload source, MeshService service, InetSocketAddress target, Set<String> without) {
    Endpoint named = new Endpoint(null, service);
    GatewayReference waypoint = waypoint(service);
    if (waypoint != null && !isGateway(source, waypoint)) {
      return throughWaypoint(source, waypoint, target, named, without);
    }
    if (service.loadBalancing().mode() == LoadBalancing.Mode.PASSTHROUGH) {
      return null;
    }
    ServiceEntry entry = store.entry(service.key());
    Chosen chosen =
        entry == null
            ? null
            : EndpointChoice.choose(
                entry,
                service,
                source,
                target.getPort(),
                target.getAddress(),
                without,
                random.get());
    if (entry == null || chosen == null) {
      return new OutboundRoute.Refused(noEndpoint(service, entry, target.getPort()), named);
    }
    MeshWorkload workload = chosen.workload();
    Endpoint endpoint = new Endpoint(workload, service);
    return located(
        source,
        workload,
        chosen.address(),
        service.ipFamilies(),
        target.getAddress(),
        endpoint,
        workload.uid(),
        address ->
            switch (workload.tunnelProtocol()) {
              case NONE -> new OutboundRoute.Plain(address, endpoint, workload.uid());
              case HBONE ->
                  new OutboundRoute.Tunnel(
                      new InetSocketAddress(address.getAddress(), HBONE_PORT),
                      authority(address),
                      identities(workload, service),
                      endpoint,
                      workload.uid());
            });
  }

  private OutboundRoute toWorkload(
      MeshWorkload source, MeshWorkload workload, InetSocketAddress target, Set<String> without) {
    Endpoint endpoint = new Endpoint(workload, null);
    GatewayReference waypoint = workload.waypoint();
    if (waypoint != null && !isGateway(source, waypoint)) {
      return throughWaypoint(source, waypoint, target, endpoint, without);
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
      Endpoint destination,
      Set<String> without) {
    CompletionStage<Void> answer = missing(waypoint, source.namespace());
    if (answer != null) {
      return again(answer, source, target, without, destination);
    }
    int port = waypoint.hbonePort() == 0 ? HBONE_PORT : waypoint.hbonePort();
    MeshService service = gatewayService(waypoint, source.namespace());
    if (service != null) {
      ServiceEntry entry = store.entry(service.key());
      Chosen chosen =
          entry == null
              ? null
              : EndpointChoice.chooseGateway(
                  entry, service, source, port, wanted(waypoint, target), without, random.get());
      if (entry == null || chosen == null) {
        return new OutboundRoute.Refused(
            "waypoint " + waypoint + ": " + noEndpoint(service, entry, 0), destination);
      }
      return toGateway(
          source,
          chosen.workload(),
          chosen.address(),
          service.ipFamilies(),
          wanted(waypoint, target),
          target,
          identities(chosen.workload(), service),
          destination,
          chosen.workload().uid());
    }
    MeshWorkload gateway = gatewayWorkload(waypoint);
    if (gateway == null) {
      return new OutboundRoute.Refused("waypoint " + waypoint + " is not known", destination);
    }
    if (!gateway.network().equals(network)) {
      return new OutboundRoute.Refused(
          "waypoint " + waypoint + " is on network '" + gateway.network() + "', not this one",
          destination);
    }
    InetAddress wanted = wanted(waypoint, target);
    InetAddress address = EndpointChoice.address(gateway, MeshService.IpFamilies.ANY, wanted);
    if (address == null && gateway.hostname().isEmpty()) {
      return new OutboundRoute.Refused(
          "waypoint " + waypoint + " has neither address nor hostname", destination);
    }
    return toGateway(
        source,
        gateway,
        address == null
            ? InetSocketAddress.createUnresolved(gateway.hostname(), port)
            : new InetSocketAddress(address, port),
        MeshService.IpFamilies.ANY,
        wanted,
        target,
        List.of(gateway.identity()),
        destination,
        "");
  }

  private OutboundRoute toGateway(
      MeshWorkload source,
      MeshWorkload gateway,
      InetSocketAddress at,
      MeshService.IpFamilies families,
      InetAddress wanted,
      InetSocketAddress target,
      List<Identity> expected,
      Endpoint destination,
      String chosen) {
    // For telemetry the waypoint is the destination's workload, as it is Istio's: it is where the
    // connection goes.
    Endpoint endpoint = new Endpoint(gateway, destination.service());
    return located(
        source,
        gateway,
        at,
        families,
        wanted,
        endpoint,
        chosen,
        address ->
            new OutboundRoute.Tunnel(
                address,
                authority(target),
                expected,
                endpoint,
                chosen,
                isServed(destination, target.getPort())));
  }

  /** Whether a waypoint of that destination is to know that port; a pod's it knows all. */
  private static boolean isServed(Endpoint destination, int port) {
    MeshService service = destination.service();
    return service == null
        || service.ports().stream().anyMatch(mapping -> mapping.servicePort() == port);
  }

  /** The address whose family the gateway's is to have. */
  private static InetAddress wanted(GatewayReference waypoint, InetSocketAddress target) {
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

  private @Nullable MeshWorkload gatewayWorkload(GatewayReference reference) {
    return switch (reference) {
      case GatewayReference.ByService(ServiceKey key, int _) -> store.workloadNamed(key);
      case GatewayReference.ByAddress(NetworkAddress address, int _) -> store.workloadAt(address);
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
          workload.services().containsKey(key)
              || (workload.namespace().equals(key.namespace())
                  && workload.hostname().equals(key.hostname()));
    };
  }

  private @Nullable GatewayReference waypoint(MeshService service) {
    List<WeightedWaypoint> weighted = service.weightedWaypoints();
    if (weighted.isEmpty()) {
      return service.waypoint();
    }
    long total = 0;
    GatewayReference chosen = service.waypoint();
    for (WeightedWaypoint candidate : weighted) {
      long weight = Integer.toUnsignedLong(candidate.weight());
      total += weight;
      if (total > 0 && random.get().nextLong(total) < weight) {
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
    if (address.equals(tunnelAddress) || self.applicationTunnel() != null) {
      return toPort(self, asked.port(), null);
    }
    NetworkAddress key = new NetworkAddress(network, address);
    CompletionStage<Void> answer = missingForWaypoint(self, key);
    if (answer != null) {
      return again(answer, () -> byAddress(self, tunnelAddress, address, asked));
    }
    return isWaypointOf(self, key)
        ? toPort(self, asked.port(), null)
        : new InboundRoute.Rejected(
            400,
            "the tunnel leads to " + tunnelAddress.getHostAddress() + ", not to the authority");
  }

  /** What has to be asked for to say whether {@code self} is the waypoint of {@code address}. */
  private @Nullable CompletionStage<Void> missingForWaypoint(
      MeshWorkload self, NetworkAddress address) {
    if (demand == null) {
      return null;
    }
    MeshService service = store.serviceAt(address, self.namespace());
    MeshWorkload workload = service == null ? store.workloadAt(address) : null;
    CompletionStage<Void> answer = missing(address, service, workload);
    if (answer != null) {
      return answer;
    }
    if (service != null) {
      for (WeightedWaypoint weighted : service.weightedWaypoints()) {
        answer = answer == null ? missing(weighted.waypoint(), self.namespace()) : answer;
      }
    }
    GatewayReference waypoint =
        service != null ? service.waypoint() : workload == null ? null : workload.waypoint();
    return answer == null && waypoint != null ? missing(waypoint, self.namespace()) : answer;
  }

  private InboundRoute again(CompletionStage<Void> answer, Supplier<InboundRoute> route) {
    return new InboundRoute.Awaited(
        answer
            .handle((nothing, failure) -> failure)
            .thenCompose(
                failure -> {
                  if (failure != null) {
                    return CompletableFuture.completedStage(
                        new InboundRoute.Rejected(
                            503, "the control plane was asked for it: " + text(failure)));
                  }
                  InboundRoute next = route.get();
                  return next instanceof InboundRoute.Awaited awaited
                      ? awaited.route()
                      : CompletableFuture.completedStage(next);
                }));
  }

  private InboundRoute byHostname(MeshWorkload self, Authority asked) {
    MeshService service = store.serviceNamed(asked.hostname(), self.namespace());
    Demand source = demand;
    if (service == null && source != null) {
      // Of services by this name only those concern the pod that it is an endpoint of.
      for (ServiceKey key : self.services().keySet()) {
        CompletionStage<Void> answer =
            key.hostname().equalsIgnoreCase(asked.hostname()) ? source.ask(key.toString()) : null;
        if (answer != null) {
          return again(answer, () -> byHostname(self, asked));
        }
      }
    }
    if (service == null) {
      return new InboundRoute.Rejected(503, "unknown service " + asked.hostname());
    }
    List<PortMapping> own = self.services().getOrDefault(service.key(), List.of());
    int port = EndpointChoice.targetPort(own, service, asked.port());
    ApplicationTunnel tunnel = self.applicationTunnel();
    if (port == 0 && (tunnel == null || tunnel.port() == 0)) {
      return new InboundRoute.Rejected(
          503, "service " + service.key() + " leads port " + asked.port() + " nowhere");
    }
    return toPort(self, port, service);
  }

  /**
   * @param asked 0 where the application tunnel's own port is all there is
   */
  private InboundRoute toPort(MeshWorkload self, int asked, @Nullable MeshService service) {
    ApplicationTunnel tunnel = self.applicationTunnel();
    int port = tunnel != null && tunnel.port() != 0 ? tunnel.port() : asked;
    if (port == 0 || illegalPorts.contains(asked) || illegalPorts.contains(port)) {
      return new InboundRoute.Rejected(
          503, "port " + (port == 0 ? port : asked) + " is not for connections");
    }
    return new InboundRoute.Accepted(port, service);
  }

  @Override
  public @Nullable MeshService passedWaypoint(MeshWorkload self, int port, InetAddress from) {
    MeshService passed = null;
    for (Map.Entry<ServiceKey, List<PortMapping>> own : self.services().entrySet()) {
      if (!leadsTo(own.getValue(), port)) {
        continue;
      }
      ServiceEntry entry = store.entry(own.getKey());
      MeshService service = entry == null ? null : entry.service();
      if (service == null) {
        continue;
      }
      List<GatewayReference> waypoints = waypoints(service);
      if (waypoints.isEmpty()) {
        return null;
      }
      MeshWorkload source =
          store.workloadAt(new NetworkAddress(network, Addresses.canonical(from)));
      if (source != null && waypoints.stream().anyMatch(each -> isGateway(source, each))) {
        return null;
      }
      passed = service;
    }
    return passed;
  }

  private static boolean leadsTo(List<PortMapping> mappings, int port) {
    for (PortMapping mapping : mappings) {
      if (mapping.targetPort() == port) {
        return true;
      }
    }
    return false;
  }

  private static List<GatewayReference> waypoints(MeshService service) {
    GatewayReference one = service.waypoint();
    return Stream.concat(
            Stream.ofNullable(one),
            service.weightedWaypoints().stream().map(WeightedWaypoint::waypoint))
        .toList();
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
