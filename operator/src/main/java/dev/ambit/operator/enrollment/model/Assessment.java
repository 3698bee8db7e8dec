package dev.ambit.operator.enrollment.model;

import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.RolloutStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.WaypointStatus;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.ControlPlaneRevision;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of an enrollment: what is released of it, and how far it is.
 *
 * @param inForce null where this object has no say
 * @param rollout null where there is none
 * @param waypoint null where nothing is bound or was
 * @param mtls null where strict mTLS is not asked for, or its time has not come
 * @param strictness null where nothing of the spec is taken up, or pods leave
 * @param makeWaypoint whether the waypoint that is asked for is to be made, where it is missing
 * @param removeLeftovers whether waypoints that the enrollment made and nothing is bound to are to
 *     go
 * @param census the pods against what is released
 */
public record Assessment(
    @Nullable InForce inForce,
    @Nullable RolloutStatus rollout,
    @Nullable WaypointStatus waypoint,
    @Nullable MtlsStatus mtls,
    @Nullable Strictness strictness,
    boolean makeWaypoint,
    boolean removeLeftovers,
    PodCensus census,
    Progress progress) {

  /** Judges: first whether the enrollment can be at all, then by its stage's handler. */
  public static Assessment of(EnrollmentObservation observed) {
    return switch (observed.source()) {
      case EnrollmentSource.Superseded(String by, boolean taken) ->
          new Assessment(
              taken ? null : observed.before().inForce(),
              null,
              null,
              null,
              null,
              false,
              false,
              PodCensus.EMPTY,
              new Progress.Stalled(
                  Stage.NONE,
                  "Superseded",
                  "MeshEnrollment "
                      + by
                      + " of the same namespace counts instead. Delete one of the two."));
      case EnrollmentSource.Labels ignored -> {
        PodCensus census = observed.pods().census(null);
        Progress progress =
            obstacle(observed, census)
                .orElseGet(
                    () -> StageHandler.of(observed.asked()).progress(observed, census, null));
        yield new Assessment(null, null, null, null, null, false, false, census, progress);
      }
      case EnrollmentSource.Plan(MeshEnrollmentSpec spec) -> {
        PodCensus census = observed.pods().census(null);
        yield new Assessment(
            null,
            null,
            null,
            null,
            null,
            false,
            false,
            census,
            obstacle(observed, census)
                .orElse(new Progress.Planned(Stage.NONE, observed.findings(), spec.stage())));
      }
      case EnrollmentSource.User(MeshEnrollmentSpec spec) -> user(observed, spec);
    };
  }

  private static Assessment user(EnrollmentObservation observed, MeshEnrollmentSpec spec) {
    Optional<Progress> obstacle =
        obstacle(observed, observed.pods().census(Release.unchanged(observed).inForce().cut()));
    if (obstacle.isPresent() && isOver(observed)) {
      return new Assessment(
          null, null, null, null, null, false, false, observed.pods().census(0), obstacle.get());
    }
    Release release =
        obstacle.isPresent() ? Release.unchanged(observed) : Release.of(observed, spec);
    PodCensus census = observed.pods().census(release.inForce().cut());
    Progress progress =
        obstacle.orElseGet(
            () ->
                spec.dryRun()
                    ? new Progress.Planned(observed.reached(), observed.findings(), spec.stage())
                    : StageHandler.of(spec.stage()).progress(observed, census, release));
    boolean acts = obstacle.isEmpty() && !spec.dryRun() && !spec.paused();
    return new Assessment(
        release.inForce(),
        release.rollout(),
        release.waypoint(),
        release.mtlsStatus(observed),
        release.strictness(),
        acts
            && spec.stage() == Stage.L7
            && release.isComplete()
            && !release.isHeldFromWaypoint(observed, spec),
        acts && release.mayRemove(observed),
        census,
        progress);
  }

  /** A mesh that comes again begins with preflight and the first step, and not where one ended. */
  private static boolean isOver(EnrollmentObservation observed) {
    return !observed.meshInstalled() && observed.pods().census(0).lingering().isEmpty();
  }

  private static Optional<Progress> obstacle(EnrollmentObservation observed, PodCensus census) {
    Stage stage = census.lingering().isEmpty() ? Stage.NONE : observed.reached();
    if (observed.labelIsUnknown()) {
      return stalled(
          stage,
          "UnknownDataplaneMode",
          "The namespace's label "
              + WellKnown.DATAPLANE_MODE
              + "="
              + observed.label()
              + " has no meaning, so none of its pods is captured. Set it to ambient or none.");
    }
    if (observed.asked() != Stage.NONE && observed.namespaceExcluded()) {
      return stalled(
          stage,
          "ExcludedNamespace",
          "The namespace is never captured, since the AmbientMesh lists it under"
              + " spec.excludedNamespaces or it is Ambit's own. Remove it there, or take back the"
              + " enrollment.");
    }
    if (observed.asked() != Stage.NONE
        && !ControlPlaneRevision.isOurs(observed.pods().namespaceLabels())) {
      return stalled(
          stage,
          "OtherRevision",
          "The namespace's label "
              + ControlPlaneRevision.LABEL
              + "="
              + observed.pods().namespaceLabels().get(ControlPlaneRevision.LABEL)
              + " says that it is another control plane's, so none of its pods is captured. Remove"
              + " the label, or take back the enrollment.");
    }
    if (observed.asked() != Stage.NONE && !observed.meshInstalled()) {
      return stalled(
          stage,
          "NoAmbientMesh",
          "There is no AmbientMesh, or it is being deleted, so no node captures pods. Create one"
              + " named default.");
    }
    return Optional.empty();
  }

  private static Optional<Progress> stalled(Stage stage, String reason, String message) {
    return Optional.of(new Progress.Stalled(stage, reason, message));
  }
}
