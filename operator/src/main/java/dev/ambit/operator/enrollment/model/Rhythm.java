package dev.ambit.operator.enrollment.model;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** When an enrollment is looked at again though nothing that is watched has changed. */
public final class Rhythm {
  /** While it is on its way, or waits for something that nobody tells of. */
  private static final Duration AGAIN = Duration.ofSeconds(10);

  /** Of a plan, which nobody waits for, and of which a fleet may have hundreds. */
  private static final Duration PLANNED = Duration.ofMinutes(1);

  /** Where it has arrived: findings may have changed. */
  private static final Duration SETTLED = Duration.ofMinutes(10);

  /** What became of policies is known without asking anybody. */
  private static final Duration POLICIES = Duration.ofMinutes(1);

  /** A Gateway is read and not watched; its pods are. */
  private static final Duration WAYPOINT = Duration.ofMinutes(1);

  private static final Duration WAYPOINT_SOON = Duration.ofSeconds(2);
  private static final Duration TRAFFIC = Duration.ofSeconds(5);
  private static final Duration SOON = Duration.ofMillis(500);

  /** While the last plaintext is waited for. */
  private static final Duration WATCHING = Duration.ofSeconds(15);

  private Rhythm() {}

  /** How long what preflight has found may do. */
  public static Duration findings(@Nullable Phase phase) {
    return switch (phase) {
      case DONE -> SETTLED;
      case PLANNED -> PLANNED;
      case null -> AGAIN;
      case PREFLIGHT,
          CAPTURING,
          PROVING,
          BAKING,
          BINDING_WAYPOINT,
          UNBINDING_WAYPOINT,
          PAUSED,
          ROLLING_BACK,
          LEAVING,
          STALLED ->
          AGAIN;
    };
  }

  /** The time until the next look. */
  public static Duration next(Assessment assessment, Instant now) {
    Duration next = next(assessment.progress(), now);
    boolean watching =
        assessment.inForce() != null
            && assessment.inForce().mtls() == EnrollmentMtls.STRICT_WHEN_QUIET;
    return watching && next.compareTo(WATCHING) > 0 ? WATCHING : next;
  }

  /** The time until the next look. */
  public static Duration next(Progress progress, Instant now) {
    return switch (progress) {
      case Progress.Done done when done.stage() == Stage.L7 -> WAYPOINT;
      case Progress.Done done when done.stage() == Stage.NONE -> SETTLED;
      case Progress.Done ignored -> POLICIES;
      case Progress.Planned ignored -> PLANNED;
      case Progress.Preflight ignored -> AGAIN;
      case Progress.Capturing ignored -> TRAFFIC;
      case Progress.Proving ignored -> TRAFFIC;
      case Progress.Baking baking when !baking.unheard().isEmpty() -> TRAFFIC;
      case Progress.Baking baking -> {
        Duration left = Duration.between(now, baking.until()).plus(SOON);
        Duration atLeast = left.compareTo(SOON) < 0 ? SOON : left;
        yield atLeast.compareTo(TRAFFIC) < 0 ? atLeast : TRAFFIC;
      }
      case Progress.BindingWaypoint ignored -> WAYPOINT_SOON;
      case Progress.UnbindingWaypoint ignored -> WAYPOINT_SOON;
      case Progress.Paused ignored -> AGAIN;
      case Progress.RollingBack ignored -> AGAIN;
      case Progress.Leaving ignored -> AGAIN;
      case Progress.Stalled ignored -> SETTLED;
    };
  }
}
