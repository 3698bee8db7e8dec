package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;

/**
 * A route of any kind, as far as attaching it goes.
 *
 * @param hostnames empty for all
 */
record SourceRoute(
    RouteKind kind, HasMetadata object, List<ParentReference> parents, List<String> hostnames) {

  /** By age, and then by "namespace/name": whose matches go first where all else is equal. */
  static final Comparator<SourceRoute> BY_AGE =
      Comparator.comparing(
              (SourceRoute route) ->
                  Objects.requireNonNullElse(route.object.getMetadata().getCreationTimestamp(), ""))
          .thenComparing(route -> route.namespace() + "/" + route.name())
          .thenComparing(SourceRoute::kind);

  static List<SourceRoute> of(RouteObjects objects) {
    List<SourceRoute> routes = new ArrayList<>();
    objects.httpRoutes().forEach(route -> routes.add(of(route)));
    objects.grpcRoutes().forEach(route -> routes.add(of(route)));
    objects.tlsRoutes().forEach(route -> routes.add(of(route)));
    objects.tcpRoutes().forEach(route -> routes.add(of(route)));
    routes.sort(BY_AGE);
    return routes;
  }

  private static SourceRoute of(HTTPRoute route) {
    var spec = route.getSpec();
    return spec == null
        ? new SourceRoute(RouteKind.HTTP, route, List.of(), List.of())
        : new SourceRoute(
            RouteKind.HTTP,
            route,
            Lists.orEmpty(spec.getParentRefs()),
            Lists.orEmpty(spec.getHostnames()));
  }

  private static SourceRoute of(GRPCRoute route) {
    var spec = route.getSpec();
    return spec == null
        ? new SourceRoute(RouteKind.GRPC, route, List.of(), List.of())
        : new SourceRoute(
            RouteKind.GRPC,
            route,
            Lists.orEmpty(spec.getParentRefs()),
            Lists.orEmpty(spec.getHostnames()));
  }

  private static SourceRoute of(TLSRoute route) {
    var spec = route.getSpec();
    return spec == null
        ? new SourceRoute(RouteKind.TLS, route, List.of(), List.of())
        : new SourceRoute(
            RouteKind.TLS,
            route,
            Lists.orEmpty(spec.getParentRefs()),
            Lists.orEmpty(spec.getHostnames()));
  }

  private static SourceRoute of(TCPRoute route) {
    var spec = route.getSpec();
    return spec == null
        ? new SourceRoute(RouteKind.TCP, route, List.of(), List.of())
        : new SourceRoute(RouteKind.TCP, route, Lists.orEmpty(spec.getParentRefs()), List.of());
  }

  String namespace() {
    return object.getMetadata().getNamespace();
  }

  String name() {
    return object.getMetadata().getName();
  }

  long generation() {
    Long generation = object.getMetadata().getGeneration();
    return generation == null ? 0 : generation;
  }

  ObjectReference reference() {
    return new ObjectReference(GatewayApi.GROUP, kind.text(), namespace(), name());
  }
}
