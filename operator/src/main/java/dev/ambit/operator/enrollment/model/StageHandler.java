package dev.ambit.operator.enrollment.model;

import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.RolloutStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.WaypointStatus;
import dev.ambit.capture.PodNumber;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What it takes for a namespace to be at a stage. */
sealed interface StageHandler {
  /**
   * How far a namespace is.
   *
   * @param census the pods against what is released
   * @param release null where the namespace's labels decide
   */
  Progress progress(EnrollmentObservation observed, PodCensus census, @Nullable Release release);

  /** The handler of the stage that is asked for. */
  static StageHandler of(Stage asked) {
    return switch (asked) {
      case NONE -> new OutsideMesh();
      case L4 -> new L4();
      case L7 -> new L7();
    };
  }

  private static Progress leaving(Stage stage, EnrollmentObservation observed, PodCensus census) {
    return new Progress.Leaving(
        stage, census.lingering(), census.draining(), observed.drainSeconds());
  }

  /** Whether a waypoint is still to be let go of. */
  private static boolean isUnbinding(Release release) {
    return release.waypoint() != null;
  }

  private static Progress unbinding(EnrollmentObservation observed, Release release) {
    WaypointStatus waypoint = release.waypoint();
    String name = waypoint == null ? null : waypoint.leaving();
    return new Progress.UnbindingWaypoint(
        observed.reached() == Stage.NONE ? Stage.NONE : Stage.L4,
        Objects.requireNonNullElse(name, "the waypoint"));
  }

  private static boolean isPaused(EnrollmentObservation observed) {
    return observed.source() instanceof EnrollmentSource.User(MeshEnrollmentSpec spec)
        && spec.paused();
  }

  /** Reached once no pod is captured but those whose own label asks for it. */
  record OutsideMesh() implements StageHandler {
    @Override
    public Progress progress(
        EnrollmentObservation observed, PodCensus census, @Nullable Release release) {
      if (release != null && release.inForce().cut() > 0 && isPaused(observed)) {
        return new Progress.Paused(observed.reached(), Stage.NONE, "no pod leaves the mesh");
      }
      if (release != null && (isUnbinding(release) || release.inForce().cut() > 0)) {
        return unbinding(observed, release);
      }
      return census.lingering().isEmpty()
          ? new Progress.Done(Stage.NONE, census.captured())
          : leaving(observed.reached(), observed, census);
    }
  }

  /**
   * Reached once every pod that should be captured is and has proven it, and the rollout, where
   * there is one, is through. A namespace that has reached it stays there while pods come and go.
   */
  record L4() implements StageHandler {
    @Override
    public Progress progress(
        EnrollmentObservation observed, PodCensus census, @Nullable Release release) {
      if (release != null && !release.isComplete()) {
        RolloutStatus rollout = Objects.requireNonNull(release.rollout());
        return rollingOut(observed, census, release, rollout);
      }
      if (!census.waiting().isEmpty()) {
        return capturing(observed, census, "");
      }
      if (!census.unproven().isEmpty()) {
        return proving(observed, census, "");
      }
      if (!census.lingering().isEmpty()) {
        return leaving(Stage.L4, observed, census);
      }
      if (release != null && observed.asked() == Stage.L4 && isUnbinding(release)) {
        return isPaused(observed)
            ? new Progress.Paused(observed.reached(), Stage.L4, "the waypoint stays bound")
            : unbinding(observed, release);
      }
      return new Progress.Done(Stage.L4, census.captured());
    }

    private static Progress capturing(
        EnrollmentObservation observed, PodCensus census, String step) {
      return new Progress.Capturing(observed.reached(), step, census.waiting(), census.captured());
    }

    private static Progress proving(EnrollmentObservation observed, PodCensus census, String step) {
      return new Progress.Proving(observed.reached(), step, census.unproven(), census.proven());
    }

    private static Progress rollingOut(
        EnrollmentObservation observed, PodCensus census, Release release, RolloutStatus rollout) {
      MeshEnrollmentSpec spec = ((EnrollmentSource.User) observed.source()).spec();
      RolloutSpec asked = spec.effectiveRollout();
      Progress.Preflight.Held held =
          release.inForce().cut() > 0
              ? Progress.Preflight.Held.MORE_PODS
              : Progress.Preflight.Held.ALL_PODS;
      if (release.isAborted(observed.generation())) {
        return aborted(observed, census, rollout, asked);
      }
      if (spec.paused()) {
        return new Progress.Paused(
            observed.reached(), Stage.L4, "the rollout stays at step " + rollout.summary());
      }
      if (release.inForce().cut() < PodNumber.ALL && !observed.errors().isEmpty()) {
        return new Progress.Preflight(observed.reached(), observed.errors(), held);
      }
      if (!census.waiting().isEmpty()) {
        return capturing(observed, census, rollout.summary());
      }
      if (!census.unproven().isEmpty()) {
        return proving(observed, census, rollout.summary());
      }
      Instant until = Objects.requireNonNullElse(Release.bakedAt(rollout, asked), observed.now());
      return new Progress.Baking(
          observed.reached(),
          rollout.summary(),
          until,
          asked.abortAbove() == null ? Traffic.NONE.unheard() : observed.traffic().unheard());
    }

    private static Progress aborted(
        EnrollmentObservation observed,
        PodCensus census,
        RolloutStatus rollout,
        RolloutSpec asked) {
      String cause =
          rollout.failedConnections()
              + " of "
              + rollout.connections()
              + " connections failed in step "
              + rollout.summary()
              + " of the rollout, more than spec.rollout.abortAbove allows.";
      return switch (asked.onAbort()) {
        case ROLLBACK ->
            census.lingering().isEmpty()
                ? new Progress.Stalled(
                    Stage.NONE,
                    "RolloutAborted",
                    cause
                        + " The pods have left the mesh again. The ztunnels' logs say why connections"
                        + " failed; change the spec to try again.")
                : new Progress.RollingBack(
                    observed.reached(), cause, census.lingering(), census.draining());
        case HOLD ->
            new Progress.Stalled(
                observed.reached(),
                "RolloutAborted",
                cause
                    + " Pods that are in the mesh stay there, and no more are taken. The ztunnels'"
                    + " logs say why connections failed; change the spec to try again.");
      };
    }
  }

  /** Reached once L4 is, and traffic goes through a waypoint that can be used. */
  record L7() implements StageHandler {
    @Override
    public Progress progress(
        EnrollmentObservation observed, PodCensus census, @Nullable Release release) {
      Progress below = new L4().progress(observed, census, release);
      if (release == null || !(below instanceof Progress.Done)) {
        return below;
      }
      MeshEnrollmentSpec spec = ((EnrollmentSource.User) observed.source()).spec();
      String wanted = spec.effectiveWaypoint().name();
      String bound = release.inForce().waypoint();
      if (spec.paused() && !wanted.equals(bound)) {
        return new Progress.Paused(observed.reached(), Stage.L7, "no waypoint is bound");
      }
      Stage stage = bound == null ? Stage.L4 : Stage.L7;
      if (release.isHeldFromWaypoint(observed, spec)) {
        return new Progress.Preflight(stage, observed.errors(), Progress.Preflight.Held.WAYPOINT);
      }
      return switch (observed.waypoint().wanted()) {
        case WaypointState.Wanted.Absent ignored ->
            new Progress.BindingWaypoint(stage, wanted, bound, "its Gateway does not exist");
        case WaypointState.Wanted.NotReady(String problem) ->
            new Progress.BindingWaypoint(stage, wanted, bound, problem);
        case WaypointState.Wanted.Ready ignored when !wanted.equals(bound) ->
            new Progress.BindingWaypoint(
                stage, wanted, bound, "it has not yet said that it knows what is to go through it");
        case WaypointState.Wanted.Ready ignored ->
            release.waypoint() != null && release.waypoint().leaving() != null
                ? new Progress.UnbindingWaypoint(Stage.L7, release.waypoint().leaving())
                : new Progress.Done(Stage.L7, census.captured());
      };
    }
  }
}
