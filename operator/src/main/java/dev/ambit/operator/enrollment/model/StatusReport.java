package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.api.Transition;
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

  private static final MeshEnrollmentStatus NOTHING_YET =
      new MeshEnrollmentStatus(null, null, null, null, List.of(), List.of(), List.of());

  private StatusReport() {}

  /**
   * The status that follows.
   *
   * @param before the status as it is, for times and history
   */
  public static MeshEnrollmentStatus of(
      @Nullable MeshEnrollmentStatus before,
      EnrollmentObservation observed,
      Progress progress,
      @Nullable Long generation,
      Instant now) {
    MeshEnrollmentStatus last = before == null ? NOTHING_YET : before;
    boolean superseded = observed.source() instanceof EnrollmentSource.Superseded;
    PodCensus census = observed.census();
    return new MeshEnrollmentStatus(
        generation,
        superseded ? null : progress.stage(),
        progress.phase(),
        superseded ? null : census.counts(),
        superseded ? List.of() : census.excluded().stream().limit(MOST_EXCLUDED).toList(),
        Conditions.update(last.conditions(), conditions(observed, progress), generation, now),
        history(last, progress, now));
  }

  private static List<Wanted> conditions(EnrollmentObservation observed, Progress progress) {
    boolean reconciling =
        switch (progress) {
          case Progress.Capturing ignored -> true;
          case Progress.Leaving ignored -> true;
          case Progress.Done ignored -> false;
          case Progress.Stalled ignored -> false;
        };
    List<Wanted> conditions = new ArrayList<>();
    conditions.add(wanted(Conditions.READY, progress instanceof Progress.Done, progress));
    conditions.add(wanted(Conditions.RECONCILING, reconciling, progress));
    conditions.add(wanted(Conditions.STALLED, progress instanceof Progress.Stalled, progress));
    conditions.add(
        wanted(
            Conditions.CAPTURED,
            progress.stage() == Stage.L4 && progress.phase() == Phase.DONE,
            progress));
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
  public static boolean isTransition(@Nullable MeshEnrollmentStatus before, Progress progress) {
    Optional<Transition> last =
        before == null ? Optional.empty() : before.history().stream().findFirst();
    if (last.isEmpty()) {
      return true;
    }
    Transition step = last.get();
    boolean arrived = step.stage() == Stage.L4 && step.phase() == Phase.DONE;
    if (arrived && progress instanceof Progress.Capturing && progress.stage() == Stage.L4) {
      return false;
    }
    return step.stage() != progress.stage()
        || step.phase() != progress.phase()
        || (progress instanceof Progress.Stalled && !step.reason().equals(progress.reason()));
  }
}
