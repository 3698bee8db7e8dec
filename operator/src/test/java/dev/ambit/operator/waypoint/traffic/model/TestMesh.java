package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import dev.ambit.operator.waypoint.route.model.ServiceRoutes;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A mesh of services and of objects written in YAML. */
final class TestMesh implements MeshServices {
  static final MeshSettings SETTINGS = MeshSettings.of("cluster.local", "mesh-root");

  private final List<MeshService> services = new ArrayList<>();
  private final List<BoundService> bound = new ArrayList<>();
  private final List<VirtualService> virtualServices = new ArrayList<>();
  private final List<DestinationRule> destinationRules = new ArrayList<>();

  /** A Service that is bound to a waypoint of its namespace. */
  TestMesh service(String namespace, String name, ServicePort... ports) {
    return bind(unbound(namespace, name, ports), namespace, ServiceRoutes.NONE);
  }

  MeshService unbound(String namespace, String name, ServicePort... ports) {
    return host(
        MeshService.Kind.SERVICE, namespace, name + "." + namespace + ".svc.cluster.local", ports);
  }

  MeshService host(MeshService.Kind kind, String namespace, String hostname, ServicePort... ports) {
    MeshService service =
        new MeshService(
            kind, namespace, hostname.split("\\.")[0], hostname, Map.of(), List.of(ports));
    services.add(service);
    return service;
  }

  TestMesh bind(MeshService service, String waypointNamespace, ServiceRoutes gatewayRoutes) {
    bound.add(new BoundService(service, waypointNamespace, gatewayRoutes, Optional.empty()));
    return this;
  }

  static ServicePort http(int number) {
    return new ServicePort(number, "http", PortProtocol.HTTP);
  }

  static ServicePort port(int number, PortProtocol protocol) {
    return new ServicePort(number, "", protocol);
  }

  /** Adds a VirtualService named "namespace/name" of that spec. */
  TestMesh virtualService(String name, String spec) {
    virtualServices.add(
        Serialization.unmarshal(
            object("VirtualService", name, virtualServices.size(), spec), VirtualService.class));
    return this;
  }

  /** Adds a DestinationRule named "namespace/name" of that spec. */
  TestMesh destinationRule(String name, String spec) {
    destinationRules.add(
        Serialization.unmarshal(
            object("DestinationRule", name, destinationRules.size(), spec), DestinationRule.class));
    return this;
  }

  private static String object(String kind, String name, int age, String spec) {
    String[] parts = name.split("/", 2);
    return """
    apiVersion: networking.istio.io/v1
    kind: %s
    metadata:
      namespace: %s
      name: %s
      generation: 7
      creationTimestamp: "2026-01-01T00:00:%02dZ"
    spec:
    %s
    """
        .formatted(kind, parts[0], parts[1], age, spec.indent(2));
  }

  Traffic traffic() {
    return Traffic.of(new TrafficObjects(virtualServices, destinationRules), bound, this, SETTINGS);
  }

  MeshService get(String name) {
    return services.stream()
        .filter(service -> service.hostname().startsWith(name))
        .findFirst()
        .orElseThrow();
  }

  HttpPortRoutes requests(String service, int port) {
    MeshService found = get(service);
    HttpPortRoutes routes = traffic().routes(found, waypointNamespace(found)).http().get(port);
    if (routes == null) {
      throw new IllegalStateException("no requests at port " + port);
    }
    return routes;
  }

  String waypointNamespace(MeshService service) {
    return bound.stream()
        .filter(each -> each.service().equals(service))
        .map(BoundService::waypointNamespace)
        .findFirst()
        .orElse(service.namespace());
  }

  /** The only virtual host's routes, of the two of each retried rule the general one. */
  List<Route> routes(String service, int port) {
    List<Route> all = requests(service, port).virtualHosts().getLast().getRoutesList();
    return all.stream()
        .filter(route -> !route.getRoute().getRetryPolicy().getRetryOn().endsWith(",reset"))
        .toList();
  }

  ClusterPolicy policy(String service, int port) {
    return policy(service, port, Optional.empty());
  }

  ClusterPolicy policy(String service, int port, Optional<String> subset) {
    MeshService found = get(service);
    ServicePort declared = found.port(port).orElseThrow();
    var backend = dev.ambit.operator.waypoint.model.Backend.of(found, declared);
    return traffic()
        .policy(found, waypointNamespace(found))
        .of(subset.map(backend::subset).orElse(backend));
  }

  /** The status of an object; its condition's message and whether it holds. */
  TrafficStatus status(String kind, String name) {
    return traffic().statuses().stream()
        .filter(status -> status.object().toString().equals(kind + " " + name))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no status of " + kind + " " + name));
  }

  boolean hasStatus(String kind, String name) {
    return traffic().statuses().stream()
        .anyMatch(status -> status.object().toString().equals(kind + " " + name));
  }

  @Override
  public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
    return services.stream()
        .filter(
            service ->
                service.kind() == kind
                    && service.namespace().equals(namespace)
                    && service.name().equals(name))
        .toList();
  }

  @Override
  public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
    return services.stream().filter(service -> service.hostname().equals(hostname)).findFirst();
  }
}
