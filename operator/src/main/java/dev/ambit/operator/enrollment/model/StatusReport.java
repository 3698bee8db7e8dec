package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.EnrollmentPlan;
import dev.ambit.api.Finding;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.api.Transition;
import dev.ambit.capture.PodNumber;
import dev.ambit.operator.model.Names;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Turns progress into the status that people and tools read. */
public final class StatusReport {
  static final int MOST_EXCLUDED = 50;
  static final int MOST_TRANSITIONS = 10;

  static final int MOST_FINDINGS = 50;

  private StatusReport() {}

  /**
   * The status that follows.
   *
   * @param plan what would change, for a dry run
   */
  public static MeshEnrollmentStatus of(
      EnrollmentObservation observed, Assessment assessment, @Nullable EnrollmentPlan plan) {
    MeshEnrollmentStatus last = observed.before();
    Progress progress = assessment.progress();
    long generation = observed.generation();
    Instant now = observed.now();
    boolean superseded = observed.source() instanceof EnrollmentSource.Superseded;
    // Of a plan it is not where the namespace is, which another object or the label says.
    boolean plans = observed.source() instanceof EnrollmentSource.Plan;
    PodCensus census = assessment.census();
    return new MeshEnrollmentStatus(
        generation,
        superseded || plans ? null : progress.stage(),
        progress.phase(),
        superseded ? null : census.counts(),
        superseded ? List.of() : census.excluded().stream().limit(MOST_EXCLUDED).toList(),
        assessment.inForce(),
        assessment.rollout(),
        assessment.waypoint(),
        assessment.mtls(),
        observed.findings().stream().limit(MOST_FINDINGS).toList(),
        plan,
        Conditions.update(last.conditions(), conditions(observed, assessment), generation, now),
        history(last, progress, now));
  }

  private static List<Wanted> conditions(EnrollmentObservation observed, Assessment assessment) {
    Progress progress = assessment.progress();
    boolean ready =
        switch (progress) {
          case Progress.Done ignored -> true;
          // Planning is all that was asked for.
          case Progress.Planned ignored -> true;
          case Progress.Preflight ignored -> false;
          case Progress.Capturing ignored -> false;
          case Progress.Proving ignored -> false;
          case Progress.Baking ignored -> false;
          case Progress.BindingWaypoint ignored -> false;
          case Progress.UnbindingWaypoint ignored -> false;
          case Progress.Paused ignored -> false;
          case Progress.RollingBack ignored -> false;
          case Progress.Leaving ignored -> false;
          case Progress.Stalled ignored -> false;
        };
    boolean stalled =
        switch (progress) {
          case Progress.Stalled ignored -> true;
          case Progress.Preflight preflight -> !preflight.mayPass();
          case Progress.Done ignored -> false;
          case Progress.Planned ignored -> false;
          case Progress.Capturing ignored -> false;
          case Progress.Proving ignored -> false;
          case Progress.Baking ignored -> false;
          case Progress.BindingWaypoint ignored -> false;
          case Progress.UnbindingWaypoint ignored -> false;
          case Progress.Paused ignored -> false;
          case Progress.RollingBack ignored -> false;
          case Progress.Leaving ignored -> false;
        };
    boolean reconciling = !ready && !stalled && !(progress instanceof Progress.Paused);
    List<Wanted> conditions = new ArrayList<>();
    conditions.add(wanted(Conditions.READY, ready, progress));
    conditions.add(wanted(Conditions.RECONCILING, reconciling, progress));
    conditions.add(wanted(Conditions.STALLED, stalled, progress));
    preflight(observed).ifPresent(conditions::add);
    conditions.add(captured(observed, assessment));
    proven(observed, assessment.census()).ifPresent(conditions::add);
    waypointReady(observed).ifPresent(conditions::add);
    PoliciesCondition.of(observed, assessment).ifPresent(conditions::add);
    StrictCondition.of(observed, assessment.strictness()).ifPresent(conditions::add);
    LabelContradiction.in(observed)
        .ifPresent(
            contradiction ->
                conditions.add(
                    new Wanted(
                        LabelContradiction.CONDITION,
                        true,
                        LabelContradiction.REASON,
                        contradiction.message())));
    return conditions;
  }

  /** Nothing is checked of a namespace that nobody asks into the mesh. */
  private static Optional<Wanted> preflight(EnrollmentObservation observed) {
    if (observed.asked() == Stage.NONE) {
      return Optional.empty();
    }
    List<Finding> errors = observed.errors();
    if (!errors.isEmpty()) {
      Finding first = errors.getFirst();
      String effect =
          switch (observed.source()) {
            case EnrollmentSource.Labels ignored ->
                " A label enrolls all the same; a MeshEnrollment would be held.";
            case EnrollmentSource.User ignored -> "";
            case EnrollmentSource.Plan ignored -> "";
            case EnrollmentSource.Superseded ignored -> "";
          };
      return Optional.of(
          new Wanted(
              Conditions.PREFLIGHT_PASSED,
              false,
              first.reason(),
              errors.size()
                  + " errors, the first at "
                  + first.object()
                  + ": "
                  + first.message()
                  + effect));
    }
    int warnings = observed.findings().size();
    return Optional.of(
        new Wanted(
            Conditions.PREFLIGHT_PASSED,
            true,
            warnings == 0 ? "NothingFound" : "OnlyWarnings",
            warnings == 0
                ? "Nothing speaks against the enrollment."
                : warnings + " warnings, in status.findings."));
  }

  /** Of the whole namespace, and not of a step. */
  private static Wanted captured(EnrollmentObservation observed, Assessment assessment) {
    Progress progress = assessment.progress();
    PodCensus census = assessment.census();
    InForce inForce = assessment.inForce();
    boolean all =
        observed.asked() != Stage.NONE
            && !(observed.source() instanceof EnrollmentSource.Plan)
            && !(progress instanceof Progress.Stalled)
            && (inForce == null || inForce.cut() >= PodNumber.ALL)
            && census.waiting().isEmpty();
    return wanted(Conditions.CAPTURED, all, progress);
  }

  private static Optional<Wanted> proven(EnrollmentObservation observed, PodCensus census) {
    if (observed.asked() == Stage.NONE || observed.source() instanceof EnrollmentSource.Plan) {
      return Optional.empty();
    }
    if (!census.unproven().isEmpty()) {
      return Optional.of(
          new Wanted(
              Conditions.PROVEN, false, "PodsNotProven", Names.some(census.unproven()) + "."));
    }
    return Optional.of(
        new Wanted(
            Conditions.PROVEN,
            census.proven() > 0,
            census.proven() > 0 ? "HandshakesSucceed" : "NoPodCaptured",
            census.proven() > 0
                ? "Each of "
                    + census.proven()
                    + " captured pods has shown its identity in a handshake with port 15008."
                : "No pod is captured, so there is nothing to prove."));
  }

  private static Optional<Wanted> waypointReady(EnrollmentObservation observed) {
    if (observed.asked() != Stage.L7 || !(observed.source() instanceof EnrollmentSource.User)) {
      return Optional.empty();
    }
    return Optional.of(
        switch (observed.waypoint().wanted()) {
          case WaypointState.Wanted.Absent ignored ->
              new Wanted(
                  Conditions.WAYPOINT_READY,
                  false,
                  "NoGateway",
                  "The Gateway does not exist. The operator makes it once all pods are in the"
                      + " mesh.");
          case WaypointState.Wanted.NotReady(String problem) ->
              new Wanted(Conditions.WAYPOINT_READY, false, "WaypointNotReady", problem + ".");
          case WaypointState.Wanted.Ready ignored ->
              new Wanted(
                  Conditions.WAYPOINT_READY,
                  true,
                  "WaypointReady",
                  "The Gateway is programmed, and a request of the operator has gone through an"
                      + " instance that has shown its identity.");
        });
  }

  private static Wanted wanted(String type, boolean holds, Progress progress) {
    return new Wanted(type, holds, progress.reason(), progress.message());
  }

  private static List<Transition> history(
      MeshEnrollmentStatus last, Progress progress, Instant now) {
    if (!isTransition(last, progress)) {
      return last.history();
    }
    List<Transition> history = new ArrayList<>();
    history.add(
        new Transition(
            now.truncatedTo(ChronoUnit.SECONDS).toString(),
            progress.stage(),
            progress.phase(),
            progress.reason()));
    history.addAll(last.history());
    return history.subList(0, Math.min(MOST_TRANSITIONS, history.size()));
  }

  /**
   * Whether this is a step on the namespace's way, worth history and an event. Pods that come and
   * go in a namespace that has arrived are not.
   */
  public static boolean isTransition(MeshEnrollmentStatus before, Progress progress) {
    Optional<Transition> last = before.history().stream().findFirst();
    if (last.isEmpty()) {
      return true;
    }
    Transition step = last.get();
    boolean arrived = step.stage() != Stage.NONE && step.phase() == Phase.DONE;
    boolean completing =
        progress instanceof Progress.Capturing || progress instanceof Progress.Proving;
    if (arrived && completing && progress.stage() == step.stage()) {
      return false;
    }
    return step.stage() != progress.stage()
        || step.phase() != progress.phase()
        || (progress instanceof Progress.Stalled && !step.reason().equals(progress.reason()));
  }
}
