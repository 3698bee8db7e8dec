package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What policies can be attached to, as far as their status turns on it. */
public interface PolicyTargets {
  /** The services of the mesh. */
  MeshServices services();

  /** Every waypoint that is this control plane's. */
  Collection<WaypointGateway> waypoints();

  /** The names of the GatewayClasses of such waypoints, also where no Gateway is of one. */
  Set<String> classes();

  /** The waypoints that traffic to a service is meant to go through, another controller's too. */
  List<WaypointGateway> waypointsOf(MeshService service);

  /** Why traffic to a service goes past the waypoint that it asks for; empty where it does not. */
  Optional<String> past(MeshService service);

  /** Gateways that are another controller's: waypoints that are left to it, and all its others. */
  Collection<WaypointGateway> anothers();

  /** The names of the GatewayClasses that are left to another controller. */
  Set<String> classesOfOthers();

  /** The services that traffic goes to through a waypoint. */
  Collection<MeshService> behind(WaypointGateway waypoint);

  /** Whether all that an object is attached to is another controller's, which tells of it. */
  default boolean areAnothers(List<Target> attached) {
    return !attached.isEmpty() && attached.stream().allMatch(this::isAnothers);
  }

  /** Whether another controller tells of what is attached there. */
  default boolean isAnothers(Target target) {
    return switch (target) {
      case Target.Unsupported _ -> false;
      case Target.OfService(MeshService.Kind kind, String namespace, String name) -> {
        List<WaypointGateway> waypoints =
            services().allNamed(kind, namespace, name).stream()
                .flatMap(service -> waypointsOf(service).stream())
                .toList();
        yield !waypoints.isEmpty() && anothers().containsAll(waypoints);
      }
      case Target.OfGateway(String namespace, String name) ->
          anothers().stream()
              .anyMatch(each -> each.namespace().equals(namespace) && each.name().equals(name));
      case Target.OfClass(String name) -> classesOfOthers().contains(name);
    };
  }
}
