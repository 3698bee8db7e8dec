package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.route.model.ConnectionRoute;
import dev.ambit.operator.waypoint.route.model.ConnectionRoutes;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.route.model.PassThrough;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import dev.ambit.operator.waypoint.traffic.model.MeshVirtualService.Obstacle;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Where traffic of services with waypoints goes, and how: Istio's objects, routes of the Gateway
 * API before them, and what holds without either.
 */
public final class Traffic {
  private final DestinationRules rules;
  private final Map<Key, ServiceRoutes> routes = new HashMap<>();
  private final Map<Key, ServicePolicy> policies = new HashMap<>();
  private final Map<Key, Set<ObjectReference>> virtualServices = new HashMap<>();
  private List<TrafficStatus> statuses = List.of();

  private record Key(String service, String waypointNamespace) {
    static Key of(MeshService service, String waypointNamespace) {
      return new Key(service.key(), waypointNamespace);
    }
  }

  private Traffic(DestinationRules rules) {
    this.rules = rules;
  }

  /**
   * Goes through all services that have waypoints; a service with two waypoints of different
   * namespaces is there twice.
   */
  public static Traffic of(
      TrafficObjects objects,
      Collection<BoundService> bound,
      MeshServices services,
      MeshSettings settings) {
    Traffic traffic = new Traffic(DestinationRules.of(objects.destinationRules(), settings));
    VirtualServices virtualServices = VirtualServices.of(objects.virtualServices(), settings);
    Map<ObjectReference, Set<String>> used = new HashMap<>();
    for (BoundService each : bound) {
      Destinations destinations =
          new Destinations(
              services, traffic.rules, each.waypointNamespace(), settings.clusterDomain());
      ServiceRoutes found =
          traffic.complete(
              each,
              new Selection(
                      each, destinations, virtualServices.overlapping(each.service().hostname()))
                  .routes());
      traffic.routes.put(Key.of(each.service(), each.waypointNamespace()), found);
      Set<ObjectReference> written = new HashSet<>();
      virtualServices.overlapping(each.service().hostname()).stream()
          .filter(rule -> rule.enforced().contains(each.service().hostname()))
          .forEach(rule -> written.add(ObjectReference.of(rule.object())));
      traffic.virtualServices.put(Key.of(each.service(), each.waypointNamespace()), written);
      if (each.past().isEmpty()) {
        traffic.use(each.service(), each.waypointNamespace(), used);
        backends(found)
            .forEach(backend -> traffic.use(backend.service(), each.waypointNamespace(), used));
      }
    }
    List<TrafficStatus> statuses = new ArrayList<>(virtualServices.statuses(services, bound));
    statuses.addAll(traffic.rules.statuses(used, bound));
    traffic.statuses = List.copyOf(statuses);
    return traffic;
  }

  private void use(
      MeshService service, String waypointNamespace, Map<ObjectReference, Set<String>> used) {
    policy(service, waypointNamespace)
        .rules()
        .forEach(rule -> used.computeIfAbsent(rule, _ -> new TreeSet<>()).add(service.hostname()));
  }

  /** All backends that routes lead to. */
  public static Set<Backend> backends(ServiceRoutes routes) {
    Set<Backend> backends = new HashSet<>();
    routes.http().values().forEach(http -> backends.addAll(http.backends()));
    routes.connections().values().forEach(each -> backends.addAll(each.backends()));
    return backends;
  }

  /**
   * The routes of a service. Each port on which requests are spoken is among the HTTP routes,
   * though nothing is written for it. A port that declares no protocol can be among the routes for
   * connections too, which are then for those that turn out to be no HTTP. A port that is in
   * neither leads to the service itself.
   */
  public ServiceRoutes routes(MeshService service, String waypointNamespace) {
    return routes.getOrDefault(Key.of(service, waypointNamespace), ServiceRoutes.NONE);
  }

  /** The VirtualServices and DestinationRules that the routes of a service came of. */
  public Set<ObjectReference> sources(MeshService service, String waypointNamespace) {
    Set<ObjectReference> sources =
        new HashSet<>(virtualServices.getOrDefault(Key.of(service, waypointNamespace), Set.of()));
    sources.addAll(policy(service, waypointNamespace).rules());
    return sources;
  }

  /** What DestinationRules say of a service at the waypoints of a namespace. */
  public ServicePolicy policy(MeshService service, String waypointNamespace) {
    return policies.computeIfAbsent(
        Key.of(service, waypointNamespace), _ -> rules.policy(service, waypointNamespace));
  }

  /** What became of each VirtualService for the mesh and each DestinationRule. */
  public List<TrafficStatus> statuses() {
    return statuses;
  }

  private ServiceRoutes complete(BoundService bound, ServiceRoutes selected) {
    MeshService service = bound.service();
    Map<Integer, HttpPortRoutes> http = new HashMap<>();
    Map<Integer, ConnectionRoutes> connections = new HashMap<>();
    for (ServicePort port : service.ports()) {
      HttpPortRoutes written = selected.http().get(port.number());
      // Routes of the Gateway API for connections take all of a port.
      boolean requests =
          hasRequests(port) && !bound.gatewayRoutes().connections().containsKey(port.number());
      if (written == null && requests) {
        written = PassThrough.requests(service, port);
      }
      if (written != null) {
        http.put(
            port.number(),
            RouteDefaults.complete(
                written,
                backend -> policy(backend.service(), bound.waypointNamespace()).of(backend)));
      }
      ConnectionRoutes rules = selected.connections().get(port.number());
      if (rules != null) {
        connections.put(port.number(), rules);
      }
    }
    return new ServiceRoutes(http, connections);
  }

  private static boolean hasRequests(ServicePort port) {
    return port.protocol().isHttp();
  }

  private static boolean hasConnections(ServicePort port) {
    return switch (port.protocol()) {
      case TCP, TLS, DETECTED -> true;
      case HTTP, HTTP2, GRPC -> false;
    };
  }

  /** Which rules are for a service, and what they come to. */
  private record Selection(
      BoundService bound, Destinations destinations, List<MeshVirtualService> overlapping) {
    ServiceRoutes routes() {
      MeshService service = bound.service();
      List<MeshVirtualService> visible = overlapping.stream().filter(this::isVisible).toList();
      Map<Integer, HttpPortRoutes> http = new HashMap<>(bound.gatewayRoutes().http());
      Map<Integer, ConnectionRoutes> connections =
          new HashMap<>(bound.gatewayRoutes().connections());
      List<MeshVirtualService> chosen = mostSpecific(service.hostname(), visible);
      for (ServicePort port : service.ports()) {
        if (hasRequests(port)) {
          if (http.containsKey(port.number())) {
            visible.stream()
                .filter(each -> !each.http().isEmpty())
                .forEach(each -> overridden(each, port));
          } else {
            requests(port, visible, chosen).ifPresent(found -> http.put(port.number(), found));
          }
        }
        if (hasConnections(port)) {
          if (connections.containsKey(port.number())) {
            chosen.stream()
                .filter(Selection::hasConnectionRules)
                .forEach(each -> overridden(each, port));
          } else {
            List<ConnectionRoute> found = connections(port, chosen);
            if (!found.isEmpty()) {
              connections.put(port.number(), new ConnectionRoutes(found));
            }
          }
        }
      }
      return new ServiceRoutes(http, connections);
    }

    private static boolean hasConnectionRules(MeshVirtualService each) {
      var spec = each.object().getSpec();
      return (spec.getTcp() != null && !spec.getTcp().isEmpty())
          || (spec.getTls() != null && !spec.getTls().isEmpty());
    }

    private void obstacle(MeshVirtualService each, String reason, String message) {
      each.obstacles().put(bound.service().hostname(), new Obstacle(reason, message));
    }

    private void overridden(MeshVirtualService each, ServicePort port) {
      String message =
          "routes of the Gateway API are attached to port "
              + port.number()
              + " of "
              + bound.service().hostname()
              + " and go before this";
      obstacle(each, "Overridden", message);
      each.findings().add("spec", message);
    }

    private boolean isVisible(MeshVirtualService each) {
      String namespace = each.namespace();
      String hostname = bound.service().hostname();
      if (!namespace.equals(bound.service().namespace())
          && !namespace.equals(bound.waypointNamespace())) {
        if (each.hosts().contains(hostname)) {
          obstacle(
              each,
              "NotPermitted",
              "a waypoint takes rules for "
                  + hostname
                  + " from the service's namespace and its own only, and not from "
                  + namespace);
        }
        return false;
      }
      if (!Exports.reach(
          each.object().getSpec().getExportTo(), namespace, bound.waypointNamespace())) {
        obstacle(
            each,
            "UnsupportedValue",
            "spec.exportTo: does not reach "
                + bound.waypointNamespace()
                + ", the namespace of the waypoint of "
                + hostname);
        return false;
      }
      return true;
    }

    /** Those whose host fits a name best, the oldest first. */
    private List<MeshVirtualService> mostSpecific(String name, List<MeshVirtualService> visible) {
      record Fitting(MeshVirtualService virtualService, String host) {}
      List<Fitting> fitting = new ArrayList<>();
      for (MeshVirtualService each : visible) {
        each.hosts().stream()
            .filter(host -> Hosts.covers(host, name))
            .min(Hosts::specificity)
            .ifPresent(host -> fitting.add(new Fitting(each, host)));
      }
      String best = fitting.stream().map(Fitting::host).min(Hosts::specificity).orElse("");
      List<MeshVirtualService> chosen = new ArrayList<>();
      for (Fitting each : fitting) {
        if (each.host().equals(best)) {
          chosen.add(each.virtualService());
        } else {
          obstacle(
              each.virtualService(),
              "Overridden",
              "a VirtualService for the more specific host "
                  + best
                  + " goes before this for "
                  + name);
        }
      }
      return chosen;
    }

    private Optional<HttpPortRoutes> requests(
        ServicePort port, List<MeshVirtualService> visible, List<MeshVirtualService> chosen) {
      MeshService service = bound.service();
      List<VirtualHost> virtualHosts = new ArrayList<>();
      Set<Backend> backends = new HashSet<>();
      List<Route> routes = rules(port, service.hostname(), chosen, backends);
      if (Hosts.isWildcard(service.hostname())) {
        // Requests for one of its names can have rules of their own.
        Set<String> narrower = new TreeSet<>();
        visible.forEach(
            each ->
                each.hosts().stream()
                    .filter(
                        host ->
                            Hosts.covers(service.hostname(), host)
                                && !host.equals(service.hostname()))
                    .forEach(narrower::add));
        for (String host : narrower) {
          List<Route> own = rules(port, host, mostSpecific(host, visible), backends);
          if (!own.isEmpty()) {
            virtualHosts.add(virtualHost(host, List.of(host, host + ":" + port.number()), own));
          }
        }
      }
      if (routes.isEmpty() && virtualHosts.isEmpty()) {
        return Optional.empty();
      }
      if (routes.isEmpty()) {
        HttpPortRoutes itself = PassThrough.requests(service, port);
        backends.addAll(itself.backends());
        routes = itself.virtualHosts().getFirst().getRoutesList();
      }
      virtualHosts.add(virtualHost("all", List.of("*"), routes));
      return Optional.of(new HttpPortRoutes(virtualHosts, backends));
    }

    private static VirtualHost virtualHost(String name, List<String> domains, List<Route> routes) {
      return VirtualHost.newBuilder()
          .setName(name)
          .addAllDomains(domains)
          .addAllRoutes(routes)
          .build();
    }

    private List<Route> rules(
        ServicePort port, String name, List<MeshVirtualService> chosen, Set<Backend> backends) {
      HttpRules translated = new HttpRules(destinations, port.number());
      MeshVirtualService before = null;
      for (MeshVirtualService each : chosen) {
        if (each.http().isEmpty()) {
          continue;
        }
        if (before != null) {
          each.findings()
              .add(
                  "spec.hosts",
                  "the older " + before + " is for " + name + " too; its rules go before these");
        }
        if (translated.isComplete()) {
          obstacle(
              each,
              "Overridden",
              "the older " + before + " has a rule for all requests to " + name);
          continue;
        }
        int size = translated.routes().size();
        each.http().forEach(translated::add);
        if (translated.routes().size() > size) {
          enforced(each, name);
        }
        before = each;
      }
      backends.addAll(translated.backends());
      return translated.routes();
    }

    private List<ConnectionRoute> connections(ServicePort port, List<MeshVirtualService> chosen) {
      List<ConnectionRoute> routes = new ArrayList<>();
      for (MeshVirtualService each : chosen) {
        int size = routes.size();
        rules(each, port, routes).addTls(each.object().getSpec().getTls());
        enforced(each, routes.size() > size);
      }
      for (MeshVirtualService each : chosen) {
        int size = routes.size();
        rules(each, port, routes).addTcp(each.object().getSpec().getTcp());
        enforced(each, routes.size() > size);
      }
      if (!routes.isEmpty() && !ConnectionRules.isComplete(routes)) {
        routes.addAll(PassThrough.connections(bound.service(), port).routes());
      }
      return routes;
    }

    private ConnectionRules rules(
        MeshVirtualService each, ServicePort port, List<ConnectionRoute> routes) {
      return new ConnectionRules(destinations, port, each.namespace(), each.findings(), routes);
    }

    private void enforced(MeshVirtualService each, boolean some) {
      if (some) {
        enforced(each, bound.service().hostname());
      }
    }

    private void enforced(MeshVirtualService each, String name) {
      bound
          .past()
          .ifPresentOrElse(
              why ->
                  obstacle(
                      each,
                      "AncestorNotBound",
                      "nothing enforces this for " + bound.service().hostname() + ": " + why),
              () -> each.enforced().add(name));
    }
  }
}
