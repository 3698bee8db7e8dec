package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReference;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * All Telemetry objects of the mesh.
 *
 * @param rootNamespace whose objects are for the whole mesh
 */
public record TelemetryObjects(List<Telemetry> all, String rootNamespace) {
  private static final Comparator<Telemetry> OLDEST_FIRST =
      Comparator.comparing(
              (Telemetry telemetry) ->
                  Optional.ofNullable(telemetry.getMetadata().getCreationTimestamp()).orElse(""))
          .thenComparing(telemetry -> telemetry.getMetadata().getNamespace())
          .thenComparing(telemetry -> telemetry.getMetadata().getName());

  /**
   * With the oldest first, which wins over another for the same; what is another control plane's is
   * left out.
   */
  public TelemetryObjects {
    all = all.stream().filter(Revision::isOurs).sorted(OLDEST_FIRST).toList();
  }

  /** All but those. */
  public TelemetryObjects without(Predicate<Telemetry> those) {
    return new TelemetryObjects(all.stream().filter(those.negate()).toList(), rootNamespace);
  }

  /** No objects. */
  public static TelemetryObjects none(String rootNamespace) {
    return new TelemetryObjects(List.of(), rootNamespace);
  }

  /** What an object is for, from the widest to the narrowest. */
  enum Scope {
    MESH,
    CLASS,
    NAMESPACE,
    GATEWAY,
    SERVICE
  }

  /**
   * Those for a waypoint's chains, from the widest to the narrowest, one of each scope.
   *
   * @param service that the chain is for; empty where it is for pods
   */
  List<Telemetry> of(WaypointGateway waypoint, Optional<MeshService> service) {
    List<Telemetry> chosen = new ArrayList<>();
    for (Scope scope : Scope.values()) {
      all.stream()
          .filter(telemetry -> selects(telemetry, scope, waypoint, service))
          .findFirst()
          .ifPresent(chosen::add);
    }
    return chosen;
  }

  /** Those that say what is counted, logged and traced of a service, or of pods. */
  public List<ObjectReference> references(WaypointGateway waypoint, Optional<MeshService> service) {
    return of(waypoint, service).stream().map(TelemetryObjects::reference).toList();
  }

  private boolean selects(
      Telemetry telemetry, Scope scope, WaypointGateway waypoint, Optional<MeshService> service) {
    String namespace = telemetry.getMetadata().getNamespace();
    return switch (scope) {
      case MESH -> namespace.equals(rootNamespace) && isUntargeted(telemetry);
      case NAMESPACE ->
          namespace.equals(waypoint.namespace())
              && !namespace.equals(rootNamespace)
              && isUntargeted(telemetry);
      case CLASS ->
          namespace.equals(rootNamespace)
              && targets(telemetry).stream()
                  .anyMatch(
                      target ->
                          Target.of(target) == Target.CLASS
                              && waypoint.className().equals(target.getName()));
      case GATEWAY ->
          namespace.equals(waypoint.namespace())
              && targets(telemetry).stream()
                  .anyMatch(
                      target ->
                          Target.of(target) == Target.GATEWAY
                              && waypoint.name().equals(target.getName()));
      case SERVICE ->
          service.isPresent()
              && namespace.equals(service.get().namespace())
              && targets(telemetry).stream().anyMatch(target -> isFor(target, service.get()));
    };
  }

  private static boolean isFor(PolicyTargetReference target, MeshService service) {
    Target kind = Target.of(target);
    return switch (service.kind()) {
      case SERVICE -> kind == Target.SERVICE && service.name().equals(target.getName());
      case SERVICE_ENTRY -> kind == Target.SERVICE_ENTRY && service.name().equals(target.getName());
    };
  }

  /** What a target reference can be to. */
  enum Target {
    GATEWAY,
    CLASS,
    SERVICE,
    SERVICE_ENTRY,
    UNSUPPORTED;

    static Target of(PolicyTargetReference reference) {
      String group = reference.getGroup() == null ? "" : reference.getGroup();
      return switch (group + "/" + reference.getKind()) {
        case "gateway.networking.k8s.io/Gateway" -> GATEWAY;
        case "gateway.networking.k8s.io/GatewayClass" -> CLASS;
        case "/Service", "core/Service" -> SERVICE;
        case "networking.istio.io/ServiceEntry" -> SERVICE_ENTRY;
        default -> UNSUPPORTED;
      };
    }
  }

  /** Whether it is for all of its namespace, or of the mesh. */
  static boolean isUntargeted(Telemetry telemetry) {
    return targets(telemetry).isEmpty() && !hasSelector(telemetry);
  }

  static boolean hasSelector(Telemetry telemetry) {
    return telemetry.getSpec() != null
        && telemetry.getSpec().getSelector() != null
        && telemetry.getSpec().getSelector().getMatchLabels() != null
        && !telemetry.getSpec().getSelector().getMatchLabels().isEmpty();
  }

  static List<PolicyTargetReference> targets(Telemetry telemetry) {
    if (telemetry.getSpec() == null) {
      return List.of();
    }
    List<PolicyTargetReference> targets = new ArrayList<>();
    if (telemetry.getSpec().getTargetRef() != null) {
      targets.add(telemetry.getSpec().getTargetRef());
    }
    if (telemetry.getSpec().getTargetRefs() != null) {
      targets.addAll(telemetry.getSpec().getTargetRefs());
    }
    return targets;
  }

  static ObjectReference reference(Telemetry telemetry) {
    return new ObjectReference(
        "telemetry.istio.io",
        "Telemetry",
        telemetry.getMetadata().getNamespace(),
        telemetry.getMetadata().getName());
  }
}
