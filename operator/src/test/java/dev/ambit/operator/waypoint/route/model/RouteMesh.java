package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrant;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A mesh of services and routes, as tests write them down. */
public final class RouteMesh implements MeshServices, RouteParents {
  private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();

  private final List<MeshService> services = new ArrayList<>();
  private final Map<String, ServiceBinding> bindings = new HashMap<>();
  private final Map<String, ParentWaypoint> waypoints = new HashMap<>();
  private final List<HasMetadata> objects = new ArrayList<>();
  private TrustDomains trustDomains = TrustDomains.only("cluster.local");

  /** A Service in namespace "shop". */
  public RouteMesh service(String name, ServicePort... ports) {
    return service("shop", name, ports);
  }

  /** A Service. */
  public RouteMesh service(String namespace, String name, ServicePort... ports) {
    services.add(
        new MeshService(
            MeshService.Kind.SERVICE,
            namespace,
            name,
            name + "." + namespace + ".svc.cluster.local",
            Map.of(),
            List.of(ports)));
    return this;
  }

  /** One host of a ServiceEntry. */
  public RouteMesh entry(String namespace, String name, String host, ServicePort... ports) {
    services.add(
        new MeshService(
            MeshService.Kind.SERVICE_ENTRY, namespace, name, host, Map.of(), List.of(ports)));
    return this;
  }

  /** A port of HTTP. */
  public static ServicePort http(int number) {
    return new ServicePort(number, "http-" + number, PortProtocol.HTTP);
  }

  /** A port of that protocol. */
  public static ServicePort port(int number, PortProtocol protocol) {
    return new ServicePort(number, "port-" + number, protocol);
  }

  /** Who serves that service; all others are served by "shop/waypoint". */
  public RouteMesh bind(String namespace, String name, ServiceBinding binding) {
    bindings.put(namespace + "/" + name, binding);
    return this;
  }

  /** A waypoint that routes can be attached to. */
  public RouteMesh waypoint(String namespace, String name, ParentWaypoint waypoint) {
    waypoints.put(namespace + "/" + name, waypoint);
    return this;
  }

  /** Names of the mesh's own trust domain besides "cluster.local". */
  public RouteMesh trustDomainAliases(String... aliases) {
    trustDomains = new TrustDomains("cluster.local", List.of(aliases));
    return this;
  }

  /** Objects of the Gateway API, in YAML. */
  public RouteMesh apply(String yaml) {
    Object parsed = SERIALIZATION.unmarshal(yaml);
    if (parsed instanceof List<?> list) {
      list.forEach(each -> objects.add((HasMetadata) each));
    } else {
      objects.add((HasMetadata) parsed);
    }
    return this;
  }

  /** An HTTPRoute "route" of Service "web" in namespace "shop", with these rules in YAML. */
  public RouteMesh httpRoute(String rules) {
    return httpRoute("route", rules);
  }

  /** An HTTPRoute of Service "web" in namespace "shop", with these rules in YAML. */
  public RouteMesh httpRoute(String name, String rules) {
    return apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: %s, namespace: shop, generation: 3}
        spec:
          parentRefs: [{group: "", kind: Service, name: web}]
          rules:
        %s
        """
            .formatted(name, rules.indent(2)));
  }

  /** A GRPCRoute "route" of Service "web" in namespace "shop", with these rules in YAML. */
  public RouteMesh grpcRoute(String rules) {
    return apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {name: route, namespace: shop, generation: 3}
        spec:
          parentRefs: [{group: "", kind: Service, name: web}]
          rules:
        %s
        """
            .formatted(rules.indent(2)));
  }

  /** What it comes to. */
  public Routing routing() {
    return GatewayRoutes.of(
        new RouteObjects(
            of(HTTPRoute.class),
            of(GRPCRoute.class),
            of(TLSRoute.class),
            of(TCPRoute.class),
            of(ReferenceGrant.class)),
        this,
        this,
        trustDomains);
  }

  private <T> List<T> of(Class<T> type) {
    return objects.stream().filter(type::isInstance).map(type::cast).toList();
  }

  /** The services of that name in namespace "shop". */
  public MeshService service(String name) {
    return named(MeshService.Kind.SERVICE, "shop", name).orElseThrow();
  }

  /** What Service "web" in namespace "shop" does at a port. */
  public Optional<HttpPortRoutes> web(int port) {
    return Optional.ofNullable(
        routing()
            .services()
            .getOrDefault(service("web").key(), ServiceRoutes.NONE)
            .http()
            .get(port));
  }

  /** What Service "web" in namespace "shop" does with connections at a port. */
  public Optional<ConnectionRoutes> webConnections(int port) {
    return Optional.ofNullable(
        routing()
            .services()
            .getOrDefault(service("web").key(), ServiceRoutes.NONE)
            .connections()
            .get(port));
  }

  /** The only status of a route of that name. */
  public RouteStatus status(String route) {
    List<RouteStatus> found =
        routing().statuses().stream()
            .filter(status -> status.route().name().equals(route))
            .toList();
    if (found.size() != 1) {
      throw new AssertionError("statuses of " + route + ": " + found);
    }
    return found.getFirst();
  }

  /** A condition of the only status of route "route". */
  public ObjectCondition condition(String type) {
    return condition("route", type);
  }

  /** A condition of the only status of a route. */
  public ObjectCondition condition(String route, String type) {
    return status(route).conditions().stream()
        .filter(condition -> condition.type().equals(type))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no " + type + " in " + status(route)));
  }

  @Override
  public boolean isLeft(String waypoint) {
    return false;
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

  @Override
  public ServiceBinding binding(MeshService service) {
    return bindings.getOrDefault(
        service.namespace() + "/" + service.name(), new ServiceBinding.Bound("shop/waypoint"));
  }

  @Override
  public Optional<ParentWaypoint> waypoint(String namespace, String name) {
    return Optional.ofNullable(waypoints.get(namespace + "/" + name));
  }
}
