package dev.ambit.operator.enrollment;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.Stage;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.enrollment.model.EnrollmentGateway;
import dev.ambit.operator.waypoint.life.WaypointPlanner;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Adds to a plan what has to be asked for: connections that are open, and what a waypoint costs.
 */
public final class PlanReader {
  /** They change all the time, and each change is a write. */
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
   * The same plan with them.
   *
   * @param last the plan before this one, whose count may do
   */
  EnrollmentPlan complete(
      EnrollmentPlan plan,
      @Nullable EnrollmentPlan last,
      MeshEnrollment enrollment,
      AmbientMeshSpec mesh,
      EnrolledPods pods,
      Instant now) {
    ConnectionPlan counted = last == null ? null : last.connections();
    boolean recent =
        counted != null && now.isBefore(Instant.parse(counted.asOf()).plus(COUNTED_EVERY));
    return plan.with(
        plan.stage() == Stage.L7
            ? waypoints.plan(EnrollmentGateway.of(enrollment), mesh.waypoint())
            : null,
        recent ? counted : connections.count(pods, now));
  }
}
