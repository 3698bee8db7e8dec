package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.api.Wave;
import dev.ambit.api.WaveStatus;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a fleet does now. All that it turns on is in the objects' specs and statuses, so an operator
 * that starts goes on where the last one was.
 *
 * @param actions what to write, in this order
 * @param places where each namespace is, before the actions
 * @param waves the place of each namespace's wave
 * @param wave how far the waves are
 * @param progress how the fleet as a whole is doing
 * @param again when to look again though nothing changes
 */
public record FleetPlan(
    List<FleetAction> actions,
    Map<String, Place> places,
    Map<String, Integer> waves,
    @Nullable WaveStatus wave,
    FleetProgress progress,
    Optional<Instant> again) {

  /** For the deadline: that somebody has left is told. */
  private static final Duration LOOK_AT_LEAVING = Duration.ofSeconds(30);

  public FleetPlan {
    actions = List.copyOf(actions);
    places = Map.copyOf(places);
  }

  /** Decides. */
  public static FleetPlan of(FleetObservation observed) {
    return new Decision(observed).plan();
  }

  /** One decision, step by step. */
  private static final class Decision {
    private final FleetObservation observed;
    private final ClusterMeshEnrollmentSpec spec;
    private final MeshEnrollmentSpec template;
    private final List<Wave> waves;
    private final Map<String, Integer> waveOf;
    private final Map<String, Place> places = new TreeMap<>();
    private final List<FleetAction> actions = new ArrayList<>();
    private final String fingerprint;
    private int open;
    private @Nullable Instant bakingSince;
    private @Nullable Instant bakedAt;
    private boolean complete;

    Decision(FleetObservation observed) {
      this.observed = observed;
      this.spec = observed.spec();
      this.template = spec.template();
      this.waves = spec.effectiveWaves();
      this.fingerprint = Waves.fingerprint(template);
      this.waveOf =
          Waves.of(
              waves,
              observed.namespaces().stream()
                  .filter(FleetNamespace::isSelected)
                  .filter(each -> !(each.standing() instanceof Standing.Excluded))
                  .toList());
      observed.namespaces().forEach(each -> places.put(each.name(), place(each)));
    }

    private int wave(FleetNamespace namespace) {
      return waveOf.getOrDefault(namespace.name(), Waves.NONE);
    }

    private Place place(FleetNamespace namespace) {
      FleetChild child = namespace.child();
      boolean leaves = observed.deleting() || namespace.standing() instanceof Standing.Deselected;
      return switch (namespace.standing()) {
        case Standing.Own(String name, boolean _) ->
            new Place.Held(
                "OwnEnrollment",
                "MeshEnrollment " + name + " of the namespace decides, and not the fleet.");
        case Standing.OtherFleet(String fleet) ->
            new Place.Held(
                "OtherFleet",
                "ClusterMeshEnrollment "
                    + fleet
                    + " selects the namespace too and is older, so that one decides.");
        case Standing.Excluded() when !leaves ->
            new Place.Held(
                "Excluded",
                "The AmbientMesh lists the namespace under spec.excludedNamespaces, or it is"
                    + " Ambit's own.");
        case Standing.Excluded() -> leaving(namespace);
        case Standing.Deselected() -> leaving(namespace);
        case Standing.Free() when leaves -> leaving(namespace);
        case Standing.Free() -> {
          if (child != null && child.deleting()) {
            yield new Place.Moving();
          }
          if (wave(namespace) == Waves.NONE) {
            yield new Place.Held("NoWave", "None of spec.waves takes the namespace.");
          }
          if (child == null) {
            yield new Place.Waiting();
          }
          if (child.isInMotion()) {
            yield new Place.Moving();
          }
          if (!child.asksFor(template)) {
            yield new Place.Waiting();
          }
          yield child
              .stalled()
              .<Place>map(why -> new Place.Failed(why.getReason(), why.getMessage()))
              .orElseGet(Place.Done::new);
        }
      };
    }

    private static Place leaving(FleetNamespace namespace) {
      FleetChild child = namespace.child();
      return new Place.Leaving(child != null && (child.isToldToLeave() || child.deleting()));
    }

    FleetPlan plan() {
      handOver();
      if (!observed.deleting()) {
        if (spec.paused()) {
          pause();
        } else {
          resume();
        }
      }
      FleetProgress progress = progress();
      WaveStatus wave = observed.deleting() ? observed.before().wave() : waveStatus();
      return new FleetPlan(actions, places, waveOf, wave, progress, again());
    }

    /** What does not wait for its turn: nothing moves by it. */
    private void handOver() {
      for (FleetNamespace each : observed.namespaces()) {
        FleetChild child = each.child();
        if (child == null || child.deleting()) {
          continue;
        }
        switch (each.standing()) {
          case Standing.Own(String _, boolean released) when released && child.mine() ->
              actions.add(new FleetAction.Delete(each.name()));
          case Standing.Free() when !child.mine() && !observed.deleting() ->
              actions.add(new FleetAction.Apply(each.name(), child.spec()));
          case Standing.Own own -> {}
          case Standing.Free free -> {}
          case Standing.Deselected deselected -> {}
          case Standing.Excluded excluded -> {}
          case Standing.OtherFleet other -> {}
        }
      }
    }

    /** Everything that is on its way stays where it is. */
    private void pause() {
      advanceWaves();
      for (FleetNamespace each : decided()) {
        FleetChild child = each.child();
        // A new generation would be another try for one that was given up.
        if (child != null
            && child.mine()
            && !child.deleting()
            && child.isInMotion()
            && !child.spec().paused()) {
          actions.add(new FleetAction.Apply(each.name(), child.spec().withPaused(true)));
        }
      }
    }

    private void resume() {
      advanceWaves();
      for (FleetNamespace each : decided()) {
        FleetChild child = each.child();
        if (child == null || child.deleting() || !child.mine()) {
          continue;
        }
        boolean mayChange = mayMove(each);
        if (child.asksFor(template) || !mayChange || !child.isInMotion()) {
          // Pausing and resuming is no move.
          if (!child.spec().paused().equals(template.paused()) && child.stalled().isEmpty()) {
            actions.add(
                new FleetAction.Apply(each.name(), child.spec().withPaused(template.paused())));
          }
        } else {
          // It is on its way as it is, and goes on for what is asked now.
          actions.add(new FleetAction.Apply(each.name(), template));
        }
      }
    }

    /** Namespaces that the fleet decides for. */
    private List<FleetNamespace> decided() {
      return observed.namespaces().stream()
          .filter(each -> each.standing() instanceof Standing.Free)
          .toList();
    }

    private boolean mayMove(FleetNamespace namespace) {
      int wave = wave(namespace);
      return wave != Waves.NONE
          && wave <= open
          && !tooManyFailed()
          && observed.meshInstalled()
          && !spec.paused()
          && !observed.deleting();
    }

    private long count(Class<? extends Place> kind) {
      return places.values().stream().filter(kind::isInstance).count();
    }

    private boolean tooManyFailed() {
      return count(Place.Failed.class) > spec.maxFailed();
    }

    /** Opens waves as far as those before them are through. */
    private void advanceWaves() {
      WaveStatus before = observed.before().wave();
      open = 0;
      if (before != null && before.template().equals(fingerprint)) {
        for (int i = 0; i < waves.size(); i++) {
          if (waves.get(i).name().equals(before.name())) {
            open = i;
            String since = before.bakingSince();
            bakingSince = since == null ? null : Instant.parse(since);
          }
        }
      }
      while (isThrough(open)) {
        if (open == waves.size() - 1) {
          complete = true;
          bakingSince = null;
          return;
        }
        if (spec.paused() || !bakes(open)) {
          return;
        }
        open++;
        bakingSince = null;
      }
      bakingSince = null;
    }

    /** Whether nobody of the open waves is still to move. */
    private boolean isThrough(int last) {
      return !tooManyFailed()
          && observed.namespaces().stream()
              .filter(each -> wave(each) != Waves.NONE && wave(each) <= last)
              .map(each -> places.get(each.name()))
              .noneMatch(place -> place instanceof Place.Moving || place instanceof Place.Waiting);
    }

    /** Whether the wave has been baked. One that moves nobody is not. */
    private boolean bakes(int wave) {
      boolean moves =
          observed.namespaces().stream()
              .filter(each -> wave(each) == wave)
              .map(each -> places.get(each.name()))
              .anyMatch(place -> place instanceof Place.Done || place instanceof Place.Failed);
      if (!moves) {
        return true;
      }
      if (bakingSince == null) {
        bakingSince = observed.now().truncatedTo(ChronoUnit.SECONDS);
      }
      Instant until = bakingSince.plus(waves.get(wave).bakeTime());
      if (observed.now().isBefore(until)) {
        bakedAt = until;
        return false;
      }
      return true;
    }

    /** Lets namespaces begin, and says how the fleet is. */
    private FleetProgress progress() {
      long moving =
          observed.namespaces().stream()
              .filter(each -> !(places.get(each.name()) instanceof Place.Held))
              .map(FleetNamespace::child)
              .filter(child -> child != null && (child.deleting() || child.isInMotion()))
              .count();
      long room = Math.max(0, spec.maxConcurrent() - moving);
      room -= leave(room);
      begin(room);
      return FleetProgress.of(observed, places, waveOf, complete, bakedAt, open);
    }

    /** The last that came are the first to leave. */
    private long leave(long room) {
      List<FleetNamespace> leaving =
          observed.namespaces().stream()
              .filter(each -> places.get(each.name()) instanceof Place.Leaving)
              .filter(FleetNamespace::hasChild)
              .sorted(
                  Comparator.comparingInt((FleetNamespace each) -> -wave(each))
                      .thenComparing(FleetNamespace::name, Comparator.reverseOrder()))
              .toList();
      long begun = 0;
      for (FleetNamespace each : leaving) {
        FleetChild child = each.child();
        if (child == null || child.deleting()) {
          continue;
        }
        if (mayGo(child)) {
          actions.add(new FleetAction.Delete(each.name()));
        } else if (!child.isToldToLeave()
            && (child.isInMotion() || begun < room)
            && (!spec.paused() || observed.deleting())) {
          actions.add(new FleetAction.Apply(each.name(), MeshEnrollmentSpec.of(Stage.NONE)));
          begun += child.isInMotion() ? 0 : 1;
        }
      }
      return begun;
    }

    /** Whether nothing is left to be done in order. */
    private boolean mayGo(FleetChild child) {
      boolean nothing =
          !observed.meshInstalled() || (child.spec().dryRun() && child.status().inForce() == null);
      if (nothing) {
        return true;
      }
      if (!child.isToldToLeave()) {
        return false;
      }
      return child.hasArrived()
          || child.stalled().isPresent()
          || child
              .stuckSince()
              .filter(since -> !observed.now().isBefore(since.plus(observed.patience())))
              .isPresent();
    }

    private void begin(long room) {
      List<FleetNamespace> next =
          decided().stream()
              .filter(each -> places.get(each.name()) instanceof Place.Waiting)
              .filter(this::mayMove)
              .sorted(
                  Comparator.comparingInt((FleetNamespace each) -> wave(each))
                      .thenComparing(FleetNamespace::name))
              .limit(room)
              .toList();
      for (FleetNamespace each : next) {
        // One that is taken over in this very step is written once.
        actions.removeIf(action -> action.namespace().equals(each.name()));
        actions.add(new FleetAction.Apply(each.name(), template));
      }
    }

    private WaveStatus waveStatus() {
      return new WaveStatus(
          waves.get(open).name(),
          (open + 1) + "/" + waves.size(),
          fingerprint,
          bakingSince == null ? null : bakingSince.toString(),
          complete);
    }

    private Optional<Instant> again() {
      boolean leaving = places.values().stream().anyMatch(place -> place instanceof Place.Leaving);
      Instant look = leaving ? observed.now().plus(LOOK_AT_LEAVING) : null;
      if (bakedAt == null) {
        return Optional.ofNullable(look);
      }
      return Optional.of(look != null && look.isBefore(bakedAt) ? look : bakedAt);
    }
  }

  /** Phases of the fleet's MeshEnrollments, counted. */
  static Map<String, Integer> phases(FleetObservation observed) {
    Map<String, Integer> phases = new TreeMap<>();
    for (FleetNamespace each : observed.namespaces()) {
      FleetChild child = each.child();
      if (child != null && child.mine()) {
        Phase phase = child.status().phase();
        phases.merge(phase == null ? "Unknown" : phase.text(), 1, Integer::sum);
      }
    }
    return phases;
  }
}
