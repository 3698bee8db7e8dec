package dev.ambit.operator.enrollment;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WaypointPlan;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.preflight.model.PodSockets;
import dev.ambit.operator.waypoint.life.WaypointPlanner;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Adds to a plan what has to be asked for: connections that are open, and what a waypoint costs.
 */
public final class PlanReader {
  /** They change all the time, each change is a write, and ztunnels are asked for them. */
  private static final Duration COUNTED_EVERY = Duration.ofMinutes(1);

  private final OpenConnections connections;
  private final WaypointPlanner waypoints;

  /** Asks the ztunnels of the root namespace and the API server. */
  public PlanReader(KubernetesClient client, String rootNamespace) {
    this.connections =
        new OpenConnections(new CalledZtunnels(() -> ZtunnelPods.list(client, rootNamespace)));
    this.waypoints = new WaypointPlanner(client, rootNamespace);
  }

  /**
   * Connections as they were counted.
   *
   * @param at when last
   */
  record Counted(Instant at, ConnectionPlan connections) {}

  /**
   * Counts connections, where it is time to.
   *
   * @param last from the last time; null where there is none
   * @param sockets what agents say of pods, by name
   * @param told what the status says of them, which is not said again where it is still so
   */
  Counted connections(
      @Nullable Counted last,
      @Nullable ConnectionPlan told,
      EnrolledPods pods,
      Map<String, PodSockets> sockets,
      Instant now) {
    if (last != null && now.isBefore(last.at().plus(COUNTED_EVERY))) {
      return last;
    }
    ConnectionPlan counted = connections.count(pods, sockets, now);
    return new Counted(now, told != null && counted.saysAs(told) ? told : counted);
  }

  /** What the waypoint costs that the enrollment has, or would have. */
  WaypointPlan waypoint(MeshEnrollment enrollment, AmbientMeshSpec mesh) {
    return waypoints.plan(EnrollmentGateway.of(enrollment), mesh.waypoint());
  }
}
