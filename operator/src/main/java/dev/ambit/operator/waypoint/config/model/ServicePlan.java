package dev.ambit.operator.waypoint.config.model;

import com.github.xds.core.v3.CidrRange;
import com.github.xds.type.matcher.v3.Matcher;
import com.github.xds.type.matcher.v3.StringMatcher;
import com.google.protobuf.Struct;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.route.model.ConnectionRoute;
import dev.ambit.operator.waypoint.route.model.ConnectionRoutes;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.route.model.PassThrough;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import dev.ambit.operator.waypoint.security.model.ConnectSecurity;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryMetadata;
import dev.ambit.operator.waypoint.traffic.model.ConnectionPolicy;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What one service adds to a waypoint's listeners and routes.
 *
 * @param main chains of the listener that tunnels lead to
 * @param sniff chains of the one that finds out what connections are
 * @param mainPorts where connections to each port go in the first
 * @param sniffPorts likewise in the other
 * @param backends whose clusters are needed
 */
record ServicePlan(
    List<CidrRange> addresses,
    List<FilterChain> main,
    List<FilterChain> sniff,
    Map<Integer, Matcher.OnMatch> mainPorts,
    Map<Integer, Matcher.OnMatch> sniffPorts,
    List<RouteConfiguration> routes,
    Set<Backend> backends)
    implements ListenerPart {

  /** The chain that hands connections to the listener that finds out what they are. */
  static final String TO_SNIFF = "sniff";

  /**
   * What it is made from.
   *
   * @param routes a port of no declared protocol that has routes for connections alone is not
   *     looked at
   * @param telemetry by the port's number
   * @param policies of backends that connections lead to, where they ask for something
   */
  record Source(
      MeshService service,
      List<CidrRange> addresses,
      ServiceRoutes routes,
      Map<Integer, ChainTelemetry> telemetry,
      Map<Backend, ConnectionPolicy> policies,
      List<String> trustDomains) {
    Source {
      addresses = List.copyOf(addresses);
      telemetry = Map.copyOf(telemetry);
      policies = Map.copyOf(policies);
      trustDomains = List.copyOf(trustDomains);
    }
  }

  @Override
  public List<ChainMatch.Entry> mainEntries() {
    return entries(mainPorts);
  }

  @Override
  public List<ChainMatch.Entry> sniffEntries() {
    return entries(sniffPorts);
  }

  private List<ChainMatch.Entry> entries(Map<Integer, Matcher.OnMatch> ports) {
    return ports.isEmpty() || addresses.isEmpty()
        ? List.of()
        : List.of(new ChainMatch.Entry(addresses, ChainMatch.ports(ports)));
  }

  static ServicePlan of(Source source) {
    return new Builder(source).build();
  }

  private static final class Builder {
    private final Source source;
    private final String key;
    private final Struct metadata;
    private final List<FilterChain> main = new ArrayList<>();
    private final List<FilterChain> sniff = new ArrayList<>();
    private final Map<Integer, Matcher.OnMatch> mainPorts = new TreeMap<>();
    private final Map<Integer, Matcher.OnMatch> sniffPorts = new TreeMap<>();
    private final List<RouteConfiguration> routes = new ArrayList<>();
    private final Set<Backend> backends = new HashSet<>();

    Builder(Source source) {
      this.source = source;
      this.key = source.service().key();
      this.metadata = TelemetryMetadata.chain(source.service());
    }

    ServicePlan build() {
      for (ServicePort port : source.service().ports()) {
        add(port);
      }
      return new ServicePlan(
          source.addresses(),
          List.copyOf(main),
          List.copyOf(sniff),
          Map.copyOf(mainPorts),
          Map.copyOf(sniffPorts),
          List.copyOf(routes),
          Set.copyOf(backends));
    }

    private void add(ServicePort port) {
      Optional<HttpPortRoutes> requests =
          Optional.ofNullable(source.routes().http().get(port.number()));
      Optional<ConnectionRoutes> connections =
          Optional.ofNullable(source.routes().connections().get(port.number()));
      if (connections.isPresent() && requests.isEmpty()) {
        connections(port, connections.get());
      } else if (port.protocol() == PortProtocol.DETECTED) {
        detected(
            port,
            requests.orElseGet(() -> PassThrough.requests(source.service(), port)),
            connections.orElseGet(() -> PassThrough.connections(source.service(), port)));
      } else if (requests.isPresent()) {
        requests(port, requests.get());
      } else {
        switch (port.protocol()) {
          case HTTP, HTTP2, GRPC, DETECTED ->
              requests(port, PassThrough.requests(source.service(), port));
          case TLS, TCP -> connections(port, PassThrough.connections(source.service(), port));
        }
      }
    }

    private String name(String protocol, ServicePort port) {
      return protocol + "|" + key + "|" + port.number();
    }

    private ChainTelemetry telemetry(ServicePort port) {
      return source.telemetry().getOrDefault(port.number(), NO_TELEMETRY);
    }

    private void requests(ServicePort port, HttpPortRoutes found) {
      String name = http(port, found);
      main.add(Chains.http(name, key, telemetry(port), metadata));
      mainPorts.put(port.number(), ChainMatch.chain(name));
    }

    private String http(ServicePort port, HttpPortRoutes found) {
      String name = name("http", port);
      routes.add(Chains.routes(name, found.virtualHosts()));
      backends.addAll(found.backends());
      return name;
    }

    private void detected(ServicePort port, HttpPortRoutes requests, ConnectionRoutes others) {
      String http = http(port, requests);
      sniff.add(Chains.http(http, key, telemetry(port), metadata));
      backends.addAll(others.backends());
      Matcher.OnMatch tcp =
          choose(port, others.routes(), sniff)
              .map(Builder::verdict)
              // No such chain: they are closed.
              .orElseGet(() -> ChainMatch.chain("none"));
      sniffPorts.put(port.number(), ChainMatch.protocol(http, tcp));
      mainPorts.put(port.number(), ChainMatch.chain(TO_SNIFF));
    }

    private void connections(ServicePort port, ConnectionRoutes found) {
      backends.addAll(found.backends());
      boolean named = found.routes().stream().anyMatch(route -> !route.serverNames().isEmpty());
      boolean looks = named || port.protocol() == PortProtocol.DETECTED;
      Optional<Matcher.OnMatch> match = choose(port, found.routes(), looks ? sniff : main);
      if (match.isEmpty()) {
        // It leads nowhere: without a chain, connections are closed.
        return;
      }
      if (looks) {
        sniffPorts.put(
            port.number(),
            port.protocol() == PortProtocol.DETECTED ? verdict(match.get()) : match.get());
        mainPorts.put(port.number(), ChainMatch.chain(TO_SNIFF));
      } else {
        mainPorts.put(port.number(), match.get());
      }
    }

    /** What was decided at the tunnel for the case that it is not HTTP. */
    private static Matcher.OnMatch verdict(Matcher.OnMatch allowed) {
      return ChainMatch.first(
          List.of(
              ChainMatch.when(
                  ChainMatch.state(
                      ConnectSecurity.DETECTED_VERDICT,
                      StringMatcher.newBuilder().setExact(ConnectSecurity.ALLOWED).build()),
                  allowed)));
    }

    /** A proxy has but one, so of several backends the first with a weight has its own. */
    private ConnectionPolicy policy(ConnectionRoute route) {
      return route.shares().stream()
          .filter(share -> share.weight() > 0)
          .flatMap(share -> share.backend().stream())
          .findFirst()
          .map(backend -> source.policies().getOrDefault(backend, ConnectionPolicy.DEFAULT))
          .orElse(ConnectionPolicy.DEFAULT);
    }

    private Optional<Matcher.OnMatch> choose(
        ServicePort port, List<ConnectionRoute> choices, List<FilterChain> chains) {
      List<Matcher.MatcherList.FieldMatcher> matchers = new ArrayList<>();
      for (int i = 0; i < choices.size(); i++) {
        ConnectionRoute route = choices.get(i);
        String name = name("tcp", port) + (choices.size() == 1 ? "" : "|" + i);
        boolean leads = Chains.leadsSomewhere(route.shares());
        if (leads) {
          chains.add(Chains.tcp(name, route.shares(), policy(route), telemetry(port), metadata));
        }
        // One that leads nowhere takes its connections nevertheless: to a chain that is not there.
        Matcher.OnMatch match = ChainMatch.chain(name);
        Optional<Matcher.MatcherList.Predicate> predicate = predicate(route);
        if (predicate.isEmpty()) {
          if (matchers.isEmpty()) {
            return leads ? Optional.of(match) : Optional.empty();
          }
          return Optional.of(
              ChainMatch.nested(
                  ChainMatch.first(matchers).getMatcher().toBuilder().setOnNoMatch(match).build()));
        }
        matchers.add(ChainMatch.when(predicate.get(), match));
      }
      return matchers.isEmpty() ? Optional.empty() : Optional.of(ChainMatch.first(matchers));
    }

    private Optional<Matcher.MatcherList.Predicate> predicate(ConnectionRoute route) {
      Optional<Matcher.MatcherList.Predicate> names =
          route.serverNames().isEmpty()
              ? Optional.empty()
              : Optional.of(
                  ChainMatch.any(
                      route.serverNames().stream().map(ChainMatch::serverName).toList()));
      Optional<Matcher.MatcherList.Predicate> clients =
          route
              .clientNamespace()
              .map(
                  namespace ->
                      ChainMatch.any(
                          source.trustDomains().stream()
                              .map(
                                  domain ->
                                      ChainMatch.state(
                                          FilterState.PEER_PRINCIPAL,
                                          StringMatcher.newBuilder()
                                              .setPrefix(
                                                  "spiffe://%s/ns/%s/".formatted(domain, namespace))
                                              .build()))
                              .toList()));
      return names.isPresent() && clients.isPresent()
          ? Optional.of(ChainMatch.both(names.get(), clients.get()))
          : names.or(() -> clients);
    }
  }

  private static final ChainTelemetry NO_TELEMETRY =
      new ChainTelemetry(List.of(), List.of(), List.of(), Optional.empty());
}
