package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.HeldNamespace;
import dev.ambit.api.MovingNamespace;
import dev.ambit.api.NamespaceCounts;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Turns a fleet's plan into the status that people and tools read. */
public final class FleetStatusReport {
  /** Condition type, there only while another fleet has some of the namespaces. */
  public static final String CONFLICT = "Conflict";

  static final int MOST_LISTED = 50;
  private static final String LEAVING = "Leaving";

  private FleetStatusReport() {}

  /** The status that follows. */
  public static ClusterMeshEnrollmentStatus of(FleetObservation observed, FleetPlan plan) {
    return new ClusterMeshEnrollmentStatus(
        observed.generation(),
        counts(observed, plan),
        FleetPlan.phases(observed),
        plan.wave(),
        moving(observed, plan),
        held(observed, plan),
        Conditions.update(
            observed.before().conditions(),
            conditions(observed, plan.progress()),
            observed.generation(),
            observed.now()));
  }

  private static NamespaceCounts counts(FleetObservation observed, FleetPlan plan) {
    int done = 0;
    int moving = 0;
    int waiting = 0;
    int failed = 0;
    int held = 0;
    int leaving = 0;
    int selected = 0;
    for (FleetNamespace each : observed.namespaces()) {
      selected += each.isSelected() ? 1 : 0;
      switch (place(plan, each)) {
        case Place.Done _ -> done++;
        case Place.Moving _ -> moving++;
        case Place.Waiting _ -> waiting++;
        case Place.Failed _ -> failed++;
        case Place.Held _ -> held++;
        case Place.Leaving _ -> leaving += each.hasChild() ? 1 : 0;
      }
    }
    return new NamespaceCounts(selected, done, moving, waiting, failed, held, leaving);
  }

  private static Place place(FleetPlan plan, FleetNamespace namespace) {
    return plan.places().getOrDefault(namespace.name(), new Place.Waiting());
  }

  /** A namespace that begins now is shown as moving from its next look on. */
  private static List<MovingNamespace> moving(FleetObservation observed, FleetPlan plan) {
    Map<String, String> since =
        observed.before().moving().stream()
            .collect(
                Collectors.toMap(
                    MovingNamespace::namespace, MovingNamespace::since, (one, other) -> one));
    String now = observed.now().truncatedTo(ChronoUnit.SECONDS).toString();
    List<MovingNamespace> moving = new ArrayList<>();
    for (FleetNamespace each : observed.namespaces()) {
      Place place = place(plan, each);
      boolean leaves = place instanceof Place.Leaving leaving && leaving.begun();
      if (place instanceof Place.Moving || leaves) {
        int wave = plan.waves().getOrDefault(each.name(), Waves.NONE);
        String name =
            leaves || wave == Waves.NONE
                ? LEAVING
                : observed.spec().effectiveWaves().get(wave).name();
        moving.add(new MovingNamespace(each.name(), name, since.getOrDefault(each.name(), now)));
      }
    }
    return moving.stream().limit(MOST_LISTED).toList();
  }

  private static List<HeldNamespace> held(FleetObservation observed, FleetPlan plan) {
    List<HeldNamespace> failed = new ArrayList<>();
    List<HeldNamespace> held = new ArrayList<>();
    for (FleetNamespace each : observed.namespaces()) {
      switch (place(plan, each)) {
        case Place.Failed(String reason, String message) ->
            failed.add(new HeldNamespace(each.name(), reason, message));
        case Place.Held(String reason, String message) ->
            held.add(new HeldNamespace(each.name(), reason, message));
        case Place.Done _, Place.Moving _, Place.Waiting _, Place.Leaving _ -> {}
      }
    }
    return Stream.concat(failed.stream(), held.stream()).limit(MOST_LISTED).toList();
  }

  private static List<Wanted> conditions(FleetObservation observed, FleetProgress progress) {
    boolean ready = progress instanceof FleetProgress.Done;
    boolean stalled = progress instanceof FleetProgress.Stalled;
    boolean reconciling =
        switch (progress) {
          case FleetProgress.Moving _ -> true;
          case FleetProgress.Baking _ -> true;
          case FleetProgress.Leaving _ -> true;
          case FleetProgress.Done _ -> false;
          case FleetProgress.Paused _ -> false;
          case FleetProgress.Stalled _ -> false;
        };
    List<Wanted> conditions = new ArrayList<>();
    conditions.add(wanted(Conditions.READY, ready, progress));
    conditions.add(wanted(Conditions.RECONCILING, reconciling, progress));
    conditions.add(wanted(Conditions.STALLED, stalled, progress));
    List<String> conflicts = FleetProgress.conflicts(observed);
    if (!conflicts.isEmpty()) {
      conditions.add(
          new Wanted(
              CONFLICT, true, "NamespacesConflict", FleetProgress.conflictMessage(conflicts)));
    }
    return conditions;
  }

  private static Wanted wanted(String type, boolean holds, FleetProgress progress) {
    return new Wanted(type, holds, progress.reason(), progress.message());
  }
}
