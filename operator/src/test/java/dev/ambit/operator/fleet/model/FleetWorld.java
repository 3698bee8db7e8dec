package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollmentSpec;
import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.NamespaceCounts;
import dev.ambit.api.NamespaceSelector;
import dev.ambit.api.Phase;
import dev.ambit.api.RolloutStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.Transition;
import dev.ambit.api.Wave;
import dev.ambit.api.WaveStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A small cluster that does what a fleet says, and in which things happen. */
final class FleetWorld {
  private static final Duration TICK = Duration.ofSeconds(20);
  private static final List<Wave> WAVES =
      List.of(
          new Wave("canary", new NamespaceSelector(Map.of("tier", "canary"), null), null, "1m"),
          new Wave("some", null, "40%", "30s"),
          new Wave("rest", null, null, null));

  private static final class Inhabitant {
    Map<String, String> labels = Map.of();
    Standing standing = new Standing.Free();
    @Nullable FleetChild child;
    boolean broken;
  }

  private final Map<String, Inhabitant> inhabitants = new TreeMap<>();
  private ClusterMeshEnrollmentSpec spec;
  private ClusterMeshEnrollmentStatus status = ClusterMeshEnrollmentStatus.NOTHING_YET;
  private Instant now = Instant.parse("2026-11-22T12:00:00Z");
  private boolean installed = true;
  private boolean deleting;

  private FleetWorld(ClusterMeshEnrollmentSpec spec) {
    this.spec = spec;
  }

  private Inhabitant at(String namespace) {
    return Objects.requireNonNull(inhabitants.get(namespace), namespace);
  }

  static FleetWorld of(ClusterMeshEnrollmentSpec spec, String... namespaces) {
    FleetWorld world = new FleetWorld(spec);
    for (String each : namespaces) {
      world.inhabitants.put(each, new Inhabitant());
    }
    return world;
  }

  static FleetWorld random(Random random) {
    FleetWorld world =
        new FleetWorld(
            new ClusterMeshEnrollmentSpec(
                new NamespaceSelector(null, null),
                random.nextInt(4) == 0 ? List.of() : WAVES,
                1 + random.nextInt(4),
                random.nextInt(3),
                MeshEnrollmentSpec.of(Stage.L4),
                false));
    int count = 1 + random.nextInt(14);
    for (int i = 0; i < count; i++) {
      Inhabitant inhabitant = new Inhabitant();
      inhabitant.labels = random.nextInt(4) == 0 ? Map.of("tier", "canary") : Map.of();
      world.inhabitants.put("namespace-" + i, inhabitant);
    }
    return world;
  }

  /** Something happens. */
  void stir(Random random) {
    now = now.plus(TICK);
    List<String> names = List.copyOf(inhabitants.keySet());
    Inhabitant any = at(names.get(random.nextInt(names.size())));
    switch (random.nextInt(12)) {
      case 0 -> any.broken = !any.broken;
      case 1 -> any.standing = new Standing.Own("default", random.nextBoolean());
      case 2 -> any.standing = new Standing.OtherFleet("older");
      case 3 -> any.standing = new Standing.Excluded();
      case 4, 5 -> any.standing = new Standing.Free();
      case 6 -> any.standing = any.child == null ? new Standing.Free() : new Standing.Deselected();
      case 7 -> any.child = null;
      case 8 -> edit(MeshEnrollmentSpec.of(random.nextBoolean() ? Stage.L4 : Stage.L7));
      case 9 -> pause(random.nextBoolean());
      case 10 -> installed = random.nextInt(3) > 0;
      default -> succeed();
    }
  }

  void becomeQuiet() {
    installed = true;
    pause(false);
    inhabitants
        .values()
        .forEach(
            each -> {
              each.broken = false;
              if (each.standing instanceof Standing.Own(String name, boolean _)) {
                each.standing = new Standing.Own(name, true);
              }
              if (each.standing instanceof Standing.OtherFleet
                  || each.standing instanceof Standing.Excluded) {
                // What was made there is that one's to take over.
                each.child = null;
              }
            });
  }

  void edit(MeshEnrollmentSpec template) {
    spec =
        new ClusterMeshEnrollmentSpec(
            spec.namespaces(),
            spec.waves(),
            spec.maxConcurrent(),
            spec.maxFailed(),
            template,
            spec.paused());
  }

  void pause(boolean paused) {
    spec =
        new ClusterMeshEnrollmentSpec(
            spec.namespaces(),
            spec.waves(),
            spec.maxConcurrent(),
            spec.maxFailed(),
            spec.template(),
            paused);
  }

  void delete() {
    deleting = true;
  }

  /** Whoever is on the way arrives, or fails where it is broken. */
  void succeed() {
    now = now.plus(TICK);
    inhabitants
        .values()
        .forEach(
            each -> {
              FleetChild child = each.child;
              if (child != null && !child.spec().paused()) {
                each.child = each.broken ? failed(child) : arrived(child);
              }
            });
  }

  void breaks(String namespace, boolean broken) {
    Inhabitant each = at(namespace);
    each.broken = broken;
  }

  void standing(String namespace, Standing standing) {
    at(namespace).standing = standing;
  }

  void loses(String namespace) {
    at(namespace).child = null;
  }

  void pass(Duration time) {
    now = now.plus(time);
  }

  FleetChild child(String namespace) {
    return Objects.requireNonNull(at(namespace).child, namespace);
  }

  void give(String namespace, FleetChild child) {
    at(namespace).child = child;
  }

  private static FleetChild status(FleetChild child, MeshEnrollmentStatus status) {
    return new FleetChild(child.spec(), child.generation(), status, child.deleting(), child.mine());
  }

  static FleetChild arrived(FleetChild child) {
    return status(child, report(child, child.spec().stage(), Phase.DONE, true, false, "Done"));
  }

  static FleetChild failed(FleetChild child) {
    return status(child, report(child, Stage.NONE, Phase.STALLED, false, true, "RolloutAborted"));
  }

  static FleetChild inPhase(FleetChild child, Stage stage, Phase phase) {
    return status(child, report(child, stage, phase, false, false, phase.text()));
  }

  /** It is there from now on. */
  void comesTo(String namespace, Stage stage, Phase phase) {
    FleetChild child = child(namespace);
    Transition step = new Transition(now.toString(), stage, phase, phase.text());
    give(
        namespace,
        status(child, report(child, stage, phase, false, false, phase.text(), List.of(step))));
  }

  private static MeshEnrollmentStatus report(
      FleetChild child, Stage stage, Phase phase, boolean ready, boolean stalled, String reason) {
    return report(child, stage, phase, ready, stalled, reason, List.of());
  }

  private static MeshEnrollmentStatus report(
      FleetChild child,
      Stage stage,
      Phase phase,
      boolean ready,
      boolean stalled,
      String reason,
      List<Transition> history) {
    return new MeshEnrollmentStatus(
        child.generation(),
        stage,
        phase,
        null,
        List.of(),
        new InForce(0, null, null, null, null, null),
        new RolloutStatus(1, 1, "1/1", null, true, 0, 0, null),
        null,
        null,
        List.of(),
        null,
        Conditions.update(
            List.of(),
            List.of(
                new Conditions.Wanted(Conditions.READY, ready, reason, "m"),
                new Conditions.Wanted(Conditions.STALLED, stalled, reason, "m")),
            child.generation(),
            Instant.parse("2026-11-22T12:00:00Z")),
        history);
  }

  FleetPlan plan() {
    return FleetPlan.of(observation());
  }

  private FleetObservation observation() {
    return new FleetObservation(
        spec, 1, status, deleting, installed, Duration.ofDays(1), namespaces(), now);
  }

  List<FleetNamespace> namespaces() {
    return inhabitants.entrySet().stream()
        .map(
            each ->
                new FleetNamespace(
                    each.getKey(),
                    each.getValue().labels,
                    each.getValue().standing,
                    each.getValue().child))
        .filter(each -> each.isSelected() || each.child() != null)
        .toList();
  }

  /**
   * Does what the fleet says, and tells who has begun to move by it: who was not on the way before
   * and is now.
   */
  Set<String> look() {
    FleetObservation observed = observation();
    FleetPlan plan = FleetPlan.of(observed);
    Set<String> before = inMotion();
    plan.actions().forEach(this::perform);
    status = FleetStatusReport.of(observed, plan);
    Set<String> begun = inMotion();
    begun.removeAll(before);
    return begun;
  }

  private void perform(FleetAction action) {
    Inhabitant at = at(action.namespace());
    switch (action) {
      case FleetAction.Apply(String _, MeshEnrollmentSpec wanted) -> {
        FleetChild child = at.child;
        if (child == null) {
          at.child = new FleetChild(wanted, 1L, MeshEnrollmentStatus.NOTHING_YET, false, true);
        } else {
          boolean same = child.spec().equals(wanted);
          long before = Objects.requireNonNull(child.generation());
          long generation = same ? before : before + 1;
          MeshEnrollmentStatus kept = child.status();
          FleetChild next = new FleetChild(wanted, generation, kept, false, true);
          boolean onlyPaused = !same && child.asksFor(wanted) && child.hasArrived();
          // Pausing what has arrived leaves it there.
          at.child = onlyPaused ? arrived(next) : next;
        }
      }
      case FleetAction.Delete(String _) -> at.child = null;
    }
  }

  private Set<String> inMotion() {
    return inhabitants.entrySet().stream()
        .filter(
            each ->
                each.getValue().standing instanceof Standing.Free
                    || each.getValue().standing instanceof Standing.Deselected)
        .filter(each -> isInMotion(each.getValue().child))
        .map(Map.Entry::getKey)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static boolean isInMotion(@Nullable FleetChild child) {
    return child != null && child.isInMotion();
  }

  boolean isFree(String namespace) {
    return at(namespace).standing instanceof Standing.Free;
  }

  int moving() {
    return inMotion().size();
  }

  int maxConcurrent() {
    return spec.maxConcurrent();
  }

  int maxFailed() {
    return spec.maxFailed();
  }

  boolean paused() {
    return spec.paused();
  }

  boolean installed() {
    return installed;
  }

  int failed() {
    return (int)
        plan().places().values().stream().filter(each -> each instanceof Place.Failed).count();
  }

  int openWave() {
    String name = status.wave() == null ? "" : status.wave().name();
    List<String> names = spec.effectiveWaves().stream().map(Wave::name).toList();
    return names.indexOf(name);
  }

  int waveOf(String namespace) {
    return plan().waves().getOrDefault(namespace, Waves.NONE);
  }

  /** Namespaces that somebody else decides for. */
  Set<String> foreign() {
    return inhabitants.entrySet().stream()
        .filter(
            each ->
                each.getValue().standing instanceof Standing.Own
                    || each.getValue().standing instanceof Standing.OtherFleet
                    || each.getValue().standing instanceof Standing.Excluded)
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  int children() {
    return (int) inhabitants.values().stream().filter(each -> each.child != null).count();
  }

  ClusterMeshEnrollmentStatus status() {
    return status;
  }

  NamespaceCounts counts() {
    return Objects.requireNonNull(status.namespaces());
  }

  WaveStatus wave() {
    return Objects.requireNonNull(status.wave());
  }

  static Set<String> taken(List<FleetNamespace> namespaces, int percent) {
    return Waves.of(List.of(new Wave("share", null, percent + "%", null)), namespaces)
        .entrySet()
        .stream()
        .filter(each -> each.getValue() == 0)
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }
}
