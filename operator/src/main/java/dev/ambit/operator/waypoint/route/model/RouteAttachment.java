package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Where a route is attached by one of its references to parents.
 *
 * @param parent for a person
 * @param service that is the parent, if one is
 * @param places where it is; none where it is refused, or where a waypoint has no services
 * @param binding whether anybody serves it; nothing where the parent is not there
 * @param refusal why it is not attached
 */
record RouteAttachment(
    String parent,
    Optional<MeshService> service,
    List<Attached> places,
    Optional<ServiceBinding> binding,
    Optional<Problems.Problem> refusal) {

  /**
   * A port of a service, and whose traffic to it.
   *
   * @param service its key
   */
  record Place(String service, int port, Audience audience) {
    /** The port, for whomever. */
    Place forAll() {
      return new Place(service, port, new Audience.Everyone());
    }
  }

  /** At a place. */
  record Attached(MeshService service, ServicePort port, Place place) {}

  boolean isServed() {
    return binding.filter(each -> each instanceof ServiceBinding.Bound).isPresent();
  }

  /**
   * Attaches a route.
   *
   * @return nothing where the reference is another controller's
   */
  static Optional<RouteAttachment> of(
      SourceRoute route, ParentReference reference, MeshServices services, RouteParents parents) {
    String group = reference.getGroup() == null ? GatewayApi.GROUP : reference.getGroup();
    String kind = reference.getKind() == null ? "Gateway" : reference.getKind();
    String namespace =
        reference.getNamespace() == null || reference.getNamespace().isEmpty()
            ? route.namespace()
            : reference.getNamespace();
    String name = reference.getName() == null ? "" : reference.getName();
    // The API's own examples name the core group by its nickname.
    if ((group.isEmpty() || group.equals("core")) && kind.equals("Service")) {
      return service(
          route, reference, MeshService.Kind.SERVICE, namespace, name, services, parents);
    }
    if (group.equals(GatewayApi.ISTIO_GROUP) && kind.equals("ServiceEntry")) {
      return service(
          route, reference, MeshService.Kind.SERVICE_ENTRY, namespace, name, services, parents);
    }
    if (group.equals(GatewayApi.GROUP) && kind.equals("Gateway")) {
      return parents
          .waypoint(namespace, name)
          .map(waypoint -> waypoint(route, reference, namespace, name, waypoint));
    }
    return Optional.empty();
  }

  private static RouteAttachment refused(
      String parent,
      Optional<MeshService> service,
      Optional<ServiceBinding> binding,
      String reason,
      String message) {
    return new RouteAttachment(
        parent, service, List.of(), binding, Optional.of(new Problems.Problem(reason, message)));
  }

  private static Optional<RouteAttachment> service(
      SourceRoute route,
      ParentReference reference,
      MeshService.Kind kind,
      String namespace,
      String name,
      MeshServices services,
      RouteParents parents) {
    String parent =
        switch (kind) {
              case SERVICE -> "Service ";
              case SERVICE_ENTRY -> "ServiceEntry ";
            }
            + namespace
            + "/"
            + name;
    List<MeshService> found = services.allNamed(kind, namespace, name);
    if (found.isEmpty()) {
      return Optional.of(
          refused(
              parent,
              Optional.empty(),
              Optional.empty(),
              GatewayApi.NO_MATCHING_PARENT,
              "there is no " + parent + " that has addresses of its own"));
    }
    // Of several hosts those that have no address have no waypoint either.
    List<ServiceBinding> bindings = found.stream().map(parents::binding).toList();
    ServiceBinding binding =
        bindings.stream()
            .filter(each -> each instanceof ServiceBinding.Bound)
            .findFirst()
            .orElse(bindings.getFirst());
    if (binding instanceof ServiceBinding.Foreign) {
      return Optional.empty();
    }
    Audience audience =
        namespace.equals(route.namespace())
            ? new Audience.Everyone()
            : new Audience.Consumers(route.namespace());
    List<Attached> places = new ArrayList<>();
    List<String> unfit = new ArrayList<>();
    for (MeshService service : found) {
      for (ServicePort port : service.ports()) {
        if (!selects(reference, port)) {
          continue;
        }
        if (route.kind().fits(port.protocol())) {
          places.add(
              new Attached(service, port, new Place(service.key(), port.number(), audience)));
        } else {
          unfit.add(port.number() + " (" + port.protocol().name().toLowerCase(Locale.ROOT) + ")");
        }
      }
    }
    if (places.isEmpty()) {
      return Optional.of(
          refused(
              parent,
              Optional.of(found.getFirst()),
              Optional.of(binding),
              GatewayApi.NO_MATCHING_PARENT,
              unfit.isEmpty()
                  ? parent + " has no port that the reference names"
                  : "a %s cannot be attached to port %s of %s, by the protocol that it declares"
                      .formatted(
                          route.kind().text(),
                          unfit.stream().distinct().collect(Collectors.joining(", ")),
                          parent)));
    }
    return Optional.of(
        new RouteAttachment(
            parent, Optional.of(found.getFirst()), places, Optional.of(binding), Optional.empty()));
  }

  private static boolean selects(ParentReference reference, ServicePort port) {
    return (reference.getPort() == null || reference.getPort() == port.number())
        && (reference.getSectionName() == null
            || reference.getSectionName().isEmpty()
            || reference.getSectionName().equals(port.name()));
  }

  private static RouteAttachment waypoint(
      SourceRoute route,
      ParentReference reference,
      String namespace,
      String name,
      ParentWaypoint waypoint) {
    String parent = "Gateway " + namespace + "/" + name;
    ServiceBinding bound = new ServiceBinding.Bound(namespace + "/" + name);
    List<ParentWaypoint.Listener> selected =
        waypoint.listeners().stream().filter(listener -> selects(reference, listener)).toList();
    if (selected.isEmpty()) {
      return refused(
          parent,
          Optional.empty(),
          Optional.of(bound),
          GatewayApi.NO_MATCHING_PARENT,
          parent + " has no listener that the reference names");
    }
    if (selected.stream().noneMatch(listener -> admits(listener, route))) {
      return refused(
          parent,
          Optional.empty(),
          Optional.of(bound),
          GatewayApi.NOT_ALLOWED_BY_LISTENERS,
          "the listeners of %s take no %s of namespace %s"
              .formatted(parent, route.kind().text(), route.namespace()));
    }
    List<Attached> places = new ArrayList<>();
    for (MeshService service : waypoint.services()) {
      // For a TLSRoute they are what clients ask for inside TLS.
      if (route.kind() != RouteKind.TLS && !names(route.hostnames(), service.hostname())) {
        continue;
      }
      for (ServicePort port : service.ports()) {
        if (route.kind().fits(port.protocol())) {
          places.add(
              new Attached(
                  service,
                  port,
                  new Place(service.key(), port.number(), new Audience.Remaining())));
        }
      }
    }
    if (places.isEmpty() && !waypoint.services().isEmpty()) {
      return refused(
          parent,
          Optional.empty(),
          Optional.of(bound),
          GatewayApi.NO_MATCHING_HOSTNAME,
          "no service that goes through %s has one of the route's host names and a port for a %s"
              .formatted(parent, route.kind().text()));
    }
    return new RouteAttachment(
        parent, Optional.empty(), places, Optional.of(bound), Optional.empty());
  }

  private static boolean admits(ParentWaypoint.Listener listener, SourceRoute route) {
    return (listener.kinds().isEmpty() || listener.kinds().contains(route.kind().text()))
        && listener.admits().test(route.namespace());
  }

  /** A listener of a Gateway, "namespace/name". */
  record AtListener(String gateway, String listener) {}

  /**
   * The listeners that a route is attached to: by its reference and by what they allow, whatever
   * else may be wrong with it, as the Gateway API counts them.
   */
  static Set<AtListener> listeners(SourceRoute route, RouteParents parents) {
    Set<AtListener> listeners = new LinkedHashSet<>();
    for (ParentReference reference : route.parents()) {
      String group = reference.getGroup() == null ? GatewayApi.GROUP : reference.getGroup();
      String kind = reference.getKind() == null ? "Gateway" : reference.getKind();
      if (!group.equals(GatewayApi.GROUP) || !kind.equals("Gateway")) {
        continue;
      }
      String namespace =
          reference.getNamespace() == null || reference.getNamespace().isEmpty()
              ? route.namespace()
              : reference.getNamespace();
      String name = reference.getName() == null ? "" : reference.getName();
      parents
          .waypoint(namespace, name)
          .ifPresent(
              waypoint ->
                  waypoint.listeners().stream()
                      .filter(listener -> selects(reference, listener) && admits(listener, route))
                      .forEach(
                          listener ->
                              listeners.add(
                                  new AtListener(namespace + "/" + name, listener.name()))));
    }
    return listeners;
  }

  private static boolean selects(ParentReference reference, ParentWaypoint.Listener listener) {
    return (reference.getPort() == null || reference.getPort() == listener.port())
        && (reference.getSectionName() == null
            || reference.getSectionName().isEmpty()
            || reference.getSectionName().equals(listener.name()));
  }

  private static boolean names(List<String> hostnames, String hostname) {
    return hostnames.isEmpty()
        || hostnames.stream()
            .map(each -> each.toLowerCase(Locale.ROOT))
            .anyMatch(
                each ->
                    each.startsWith("*.")
                        ? hostname.endsWith(each.substring(1))
                        : each.equals(hostname));
  }
}
