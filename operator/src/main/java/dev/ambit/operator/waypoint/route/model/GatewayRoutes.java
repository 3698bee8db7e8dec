package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.route.model.RouteAttachment.Attached;
import dev.ambit.operator.waypoint.route.model.RouteAttachment.Place;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.type.matcher.v3.FilterStateMatcher;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What the routes of the Gateway API come to in a mesh: for each port of each service, what its
 * waypoint is to do, and for each route, what became of it (GEP-1294).
 */
public final class GatewayRoutes {
  private static final Place PLACE_OF_NOTHING = new Place("", 0, new Audience.Everyone());

  private final MeshServices services;
  private final RouteParents parents;
  private final TrustDomains trustDomains;
  private final BackendReferences references;

  private GatewayRoutes(
      MeshServices services,
      RouteParents parents,
      TrustDomains trustDomains,
      BackendReferences references) {
    this.services = services;
    this.parents = parents;
    this.trustDomains = trustDomains;
    this.references = references;
  }

  /** All of it. */
  public static Routing of(
      RouteObjects objects,
      MeshServices services,
      RouteParents parents,
      TrustDomains trustDomains) {
    return new GatewayRoutes(
            services,
            parents,
            trustDomains,
            new BackendReferences(services, objects.referenceGrants()))
        .run(SourceRoute.of(objects));
  }

  /** What one reference of a route to a parent comes to. */
  private static final class Attempt {
    private final SourceRoute route;
    private final int index;
    private final RouteAttachment attachment;
    private final Problems problems = new Problems();
    private final Set<Place> lost = new HashSet<>();
    private boolean answers;

    private Attempt(SourceRoute route, int index, RouteAttachment attachment) {
      this.route = route;
      this.index = index;
      this.attachment = attachment;
    }

    private List<Attached> kept() {
      return attachment.places().stream().filter(place -> !lost.contains(place.place())).toList();
    }
  }

  /** All that is attached at one port of one service. */
  private static final class Port {
    private final MeshService service;
    private final ServicePort port;
    private final Map<Audience, List<RequestRoutes>> requests = new LinkedHashMap<>();
    private final Map<Audience, List<ConnectionEntries.Entry>> connections = new LinkedHashMap<>();

    private Port(MeshService service, ServicePort port) {
      this.service = service;
      this.port = port;
    }
  }

  private Routing run(List<SourceRoute> routes) {
    List<Attempt> attempts = new ArrayList<>();
    for (SourceRoute route : routes) {
      for (int i = 0; i < route.parents().size(); i++) {
        int index = i;
        RouteAttachment.of(route, route.parents().get(i), services, parents)
            .ifPresent(attachment -> attempts.add(new Attempt(route, index, attachment)));
      }
    }
    settleConflicts(attempts);
    Map<String, Map<Integer, Port>> ports = new HashMap<>();
    for (Attempt attempt : attempts) {
      translate(attempt, ports);
    }
    Map<String, ServiceRoutes> served = new HashMap<>();
    ports.forEach((key, byNumber) -> served.put(key, assemble(byNumber)));
    return new Routing(
        served,
        attempts.stream()
            .filter(attempt -> !isLeft(attempt.attachment))
            .map(
                attempt ->
                    RouteReport.of(
                        attempt.route,
                        attempt.route.parents().get(attempt.index),
                        attempt.attachment,
                        attempt.kept(),
                        attempt.problems,
                        attempt.answers))
            .toList(),
        attached(routes));
  }

  private boolean isLeft(RouteAttachment attachment) {
    return attachment.binding().orElse(null) instanceof ServiceBinding.Bound(String waypoint)
        && parents.isLeft(waypoint);
  }

  private Map<String, Map<String, Integer>> attached(List<SourceRoute> routes) {
    Map<String, Map<String, Integer>> attached = new HashMap<>();
    for (SourceRoute route : routes) {
      for (RouteAttachment.AtListener at : RouteAttachment.listeners(route, parents)) {
        attached
            .computeIfAbsent(at.gateway(), _ -> new HashMap<>())
            .merge(at.listener(), 1, Integer::sum);
      }
    }
    return attached;
  }

  /**
   * A port has routes of one kind (GEP-1294). Whether it passes on requests or connections is one
   * question for all its clients; which kind of either is one for each audience. Of TCPRoutes,
   * which fit every connection, only the oldest can be heard.
   */
  private static void settleConflicts(List<Attempt> attempts) {
    Map<Place, RouteKind> kinds = new HashMap<>();
    Set<Place> ofRequests = new HashSet<>();
    Map<Place, SourceRoute> oldest = new HashMap<>();
    for (Attempt attempt : attempts) {
      RouteKind kind = attempt.route.kind();
      for (Attached attached : attempt.attachment.places()) {
        kinds.merge(
            attached.place(), kind, (one, other) -> one.compareTo(other) <= 0 ? one : other);
        if (kind.ofRequests()) {
          ofRequests.add(attached.place().forAll());
        }
        if (kind == RouteKind.TCP) {
          oldest.putIfAbsent(attached.place(), attempt.route);
        }
      }
    }
    for (Attempt attempt : attempts) {
      RouteKind kind = attempt.route.kind();
      for (Attached attached : attempt.attachment.places()) {
        Place place = attached.place();
        boolean lost =
            kinds.get(place) != kind
                || (!kind.ofRequests() && ofRequests.contains(place.forAll()))
                || (kind == RouteKind.TCP && oldest.get(place) != attempt.route);
        if (lost) {
          attempt.lost.add(place);
        }
      }
    }
  }

  private void translate(Attempt attempt, Map<String, Map<Integer, Port>> ports) {
    SourceRoute route = attempt.route;
    List<Attached> places = attempt.attachment.places();
    if (places.isEmpty()) {
      // Its author is told of what else is wrong all the same.
      translateAt(attempt, PLACE_OF_NOTHING, Optional.empty());
      return;
    }
    Set<Attached> kept = Set.copyOf(attempt.kept());
    for (Attached attached : places) {
      Optional<Port> port =
          kept.contains(attached) && attempt.attachment.isServed()
              ? Optional.of(
                  ports
                      .computeIfAbsent(attached.place().service(), _ -> new TreeMap<>())
                      .computeIfAbsent(
                          attached.place().port(),
                          _ -> new Port(attached.service(), attached.port())))
              : Optional.empty();
      translateAt(attempt, attached.place(), port);
    }
  }

  private void translateAt(Attempt attempt, Place place, Optional<Port> port) {
    SourceRoute route = attempt.route;
    Optional<MeshService> parent = attempt.attachment.service();
    if (route.kind().ofRequests()) {
      RequestRoutes translated =
          new RequestRoutes(route, parent, place.port(), references, attempt.problems).translate();
      if (!translated.entries().isEmpty()) {
        attempt.answers = true;
        port.ifPresent(
            each ->
                each.requests
                    .computeIfAbsent(place.audience(), _ -> new ArrayList<>())
                    .add(translated));
      }
    } else {
      List<ConnectionEntries.Entry> entries =
          ConnectionEntries.of(route, parent, references, attempt.problems);
      if (!entries.isEmpty()) {
        attempt.answers = true;
        port.ifPresent(
            each ->
                each.connections
                    .computeIfAbsent(place.audience(), _ -> new ArrayList<>())
                    .addAll(entries));
      }
    }
  }

  private ServiceRoutes assemble(Map<Integer, Port> ports) {
    Map<Integer, HttpPortRoutes> http = new HashMap<>();
    Map<Integer, ConnectionRoutes> connections = new HashMap<>();
    ports.forEach(
        (number, port) -> {
          if (!port.requests.isEmpty()) {
            http.put(number, requests(port));
          } else if (!port.connections.isEmpty()) {
            connections.put(number, connections(port));
          }
        });
    return new ServiceRoutes(http, connections);
  }

  private HttpPortRoutes requests(Port port) {
    List<Route> routes = new ArrayList<>();
    Set<Backend> backends = new HashSet<>();
    consumers(port.requests)
        .forEach(
            (namespace, each) -> {
              FilterStateMatcher clients = ConsumerMatch.of(namespace, trustDomains);
              sorted(each).forEach(route -> routes.add(only(clients, route)));
              // The API: where there are routes and none fits, nothing is there.
              routes.add(only(clients, notFound()));
              each.forEach(route -> backends.addAll(route.backends()));
            });
    Optional<List<RequestRoutes>> others = others(port.requests);
    if (others.isPresent()) {
      routes.addAll(sorted(others.get()));
      others.get().forEach(route -> backends.addAll(route.backends()));
    } else {
      Backend own = Backend.ofRequests(port.service, port.port);
      routes.add(PassThrough.route(own));
      backends.add(own);
    }
    return new HttpPortRoutes(PassThrough.virtualHosts(routes), backends);
  }

  /** By the names of the consumers, so that the same routes come out the same. */
  private static <T> Map<String, List<T>> consumers(Map<Audience, List<T>> audiences) {
    Map<String, List<T>> consumers = new TreeMap<>();
    audiences.forEach(
        (audience, routes) -> {
          switch (audience) {
            case Audience.Consumers(String namespace) -> consumers.put(namespace, routes);
            case Audience.Everyone(), Audience.Remaining() -> {}
          }
        });
    return consumers;
  }

  private static <T> Optional<List<T>> others(Map<Audience, List<T>> audiences) {
    return Optional.ofNullable(audiences.get(new Audience.Everyone()))
        .or(() -> Optional.ofNullable(audiences.get(new Audience.Remaining())));
  }

  /** Routes come by age and their entries as listed, and sorting keeps that where all is equal. */
  private static List<Route> sorted(List<RequestRoutes> routes) {
    return routes.stream()
        .flatMap(route -> route.entries().stream())
        .sorted(Comparator.comparing(RequestEntry::specificity).reversed())
        .map(RequestEntry::route)
        .toList();
  }

  private static Route only(FilterStateMatcher clients, Route route) {
    Route.Builder restricted = route.toBuilder();
    restricted.getMatchBuilder().addFilterState(clients);
    return restricted.build();
  }

  private static Route notFound() {
    return Route.newBuilder()
        .setName("none")
        .setMatch(RouteMatch.newBuilder().setPrefix("/"))
        .setDirectResponse(DirectResponseAction.newBuilder().setStatus(404))
        .build();
  }

  private static ConnectionRoutes connections(Port port) {
    List<ConnectionRoute> routes = new ArrayList<>();
    consumers(port.connections)
        .forEach(
            (namespace, entries) -> {
              routes.addAll(connections(entries, Optional.of(namespace)));
              if (routes.isEmpty() || !routes.getLast().serverNames().isEmpty()) {
                routes.add(new ConnectionRoute(List.of(), Optional.of(namespace), List.of()));
              }
            });
    Optional<List<ConnectionEntries.Entry>> others = others(port.connections);
    if (others.isPresent()) {
      routes.addAll(connections(others.get(), Optional.empty()));
    } else {
      routes.add(PassThrough.connection(port.service, port.port));
    }
    return new ConnectionRoutes(routes);
  }

  private static List<ConnectionRoute> connections(
      List<ConnectionEntries.Entry> entries, Optional<String> namespace) {
    Set<String> seen = new HashSet<>();
    return entries.stream()
        .sorted(Comparator.comparing(ConnectionEntries.Entry::specificity).reversed())
        // Of equal names, the oldest route's counts.
        .filter(entry -> seen.add(entry.serverName()))
        .map(
            entry ->
                new ConnectionRoute(
                    entry.serverName().isEmpty() ? List.of() : List.of(entry.serverName()),
                    namespace,
                    entry.shares()))
        .collect(Collectors.toList());
  }
}
