package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrant;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrantFrom;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrantTo;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Finds what routes lead to. */
final class BackendReferences {
  private final MeshServices services;
  private final Map<String, List<ReferenceGrant>> grants;

  BackendReferences(MeshServices services, Collection<ReferenceGrant> grants) {
    this.services = services;
    this.grants =
        grants.stream().collect(Collectors.groupingBy(grant -> grant.getMetadata().getNamespace()));
  }

  /** A reference as a route has it; what it leaves out is null. */
  record Reference(
      @Nullable String group,
      @Nullable String kind,
      @Nullable String namespace,
      @Nullable String name,
      @Nullable Integer port) {}

  /** Where a reference leads, or why it leads nowhere. */
  sealed interface Resolution {
    record Found(Backend backend) implements Resolution {}

    record Failed(String reason, String message) implements Resolution {}
  }

  /**
   * Resolves a reference of a route.
   *
   * <p>The waypoint asks backends under its own identity, so a route could make it ask what its
   * author may not ask. A backend in another namespace than the route's therefore needs a
   * ReferenceGrant, unless it is the very service that the clients asked for (GEP-1294: "must be
   * used" where a mesh would otherwise open a broader scope).
   *
   * @param parent the service that the route is attached to, where it is attached to one
   */
  Resolution resolve(SourceRoute route, Optional<MeshService> parent, Reference reference) {
    String group = reference.group() == null ? "" : reference.group();
    String kind = reference.kind() == null ? "Service" : reference.kind();
    String namespace =
        reference.namespace() == null || reference.namespace().isEmpty()
            ? route.namespace()
            : reference.namespace();
    String name = reference.name() == null ? "" : reference.name();
    Optional<MeshService> found;
    if (group.isEmpty() && kind.equals("Service")) {
      found = services.named(MeshService.Kind.SERVICE, namespace, name);
    } else if (group.equals(GatewayApi.ISTIO_GROUP) && kind.equals("ServiceEntry")) {
      found = services.named(MeshService.Kind.SERVICE_ENTRY, namespace, name);
    } else if (group.equals(GatewayApi.ISTIO_GROUP) && kind.equals("Hostname")) {
      found = services.answeringTo(name, namespace);
    } else {
      return new Resolution.Failed(
          GatewayApi.INVALID_KIND,
          "%s cannot be a backend; use a Service, or a ServiceEntry or Hostname of %s"
              .formatted(group.isEmpty() ? kind : kind + "." + group, GatewayApi.ISTIO_GROUP));
    }
    String target = kind + " " + (kind.equals("Hostname") ? "" : namespace + "/") + name;
    String owner = found.map(MeshService::namespace).orElse(namespace);
    boolean own =
        owner.equals(route.namespace())
            || (found.isPresent() && parent.isPresent() && same(found.get(), parent.get()));
    if (!own && !granted(route, kind, owner, found.map(MeshService::name).orElse(name))) {
      return new Resolution.Failed(
          GatewayApi.REF_NOT_PERMITTED,
          "no ReferenceGrant in namespace %s lets a %s of namespace %s lead to %s"
              .formatted(owner, route.kind().text(), route.namespace(), target));
    }
    if (found.isEmpty()) {
      return new Resolution.Failed(
          GatewayApi.BACKEND_NOT_FOUND, "there is no %s that can be reached".formatted(target));
    }
    return port(route.kind(), found.get(), target, reference.port());
  }

  private static boolean same(MeshService one, MeshService other) {
    return one.kind() == other.kind()
        && one.namespace().equals(other.namespace())
        && one.name().equals(other.name());
  }

  private static Resolution port(
      RouteKind kind, MeshService service, String target, @Nullable Integer number) {
    if (number == null) {
      return new Resolution.Failed(
          GatewayApi.BACKEND_NOT_FOUND, "a port of %s has to be named".formatted(target));
    }
    Optional<ServicePort> port = service.port(number);
    if (port.isEmpty()) {
      return new Resolution.Failed(
          GatewayApi.BACKEND_NOT_FOUND, "%s has no port %d".formatted(target, number));
    }
    if (kind.ofRequests() && port.get().protocol() == PortProtocol.TLS) {
      return new Resolution.Failed(
          GatewayApi.UNSUPPORTED_PROTOCOL,
          "port %d of %s speaks TLS, which requests of a %s are not sent in"
              .formatted(number, target, kind.text()));
    }
    return new Resolution.Found(
        switch (kind) {
          case GRPC -> new Backend(service, number, PortProtocol.GRPC, Optional.empty());
          case HTTP -> Backend.ofRequests(service, port.get());
          case TLS, TCP -> Backend.ofConnections(service, port.get());
        });
  }

  private boolean granted(SourceRoute route, String kind, String namespace, String name) {
    // A grant for a host name is one for what answers to it.
    List<String> kinds =
        kind.equals("Hostname") ? List.of("Service", "ServiceEntry") : List.of(kind);
    return grants.getOrDefault(namespace, List.of()).stream()
        .filter(grant -> grant.getSpec() != null)
        .anyMatch(
            grant ->
                Lists.orEmpty(grant.getSpec().getFrom()).stream()
                        .anyMatch(from -> isFrom(from, route))
                    && Lists.orEmpty(grant.getSpec().getTo()).stream()
                        .anyMatch(to -> kinds.stream().anyMatch(each -> isTo(to, each, name))));
  }

  private static boolean isFrom(ReferenceGrantFrom from, SourceRoute route) {
    return GatewayApi.GROUP.equals(from.getGroup())
        && route.kind().text().equals(from.getKind())
        && route.namespace().equals(from.getNamespace());
  }

  private static boolean isTo(ReferenceGrantTo to, String kind, String name) {
    String granted = to.getGroup() == null ? "" : to.getGroup();
    boolean sameGroup =
        kind.equals("Service") ? granted.isEmpty() : granted.equals(GatewayApi.ISTIO_GROUP);
    return sameGroup
        && kind.equals(to.getKind())
        && (to.getName() == null || to.getName().isEmpty() || name.equals(to.getName()));
  }
}
