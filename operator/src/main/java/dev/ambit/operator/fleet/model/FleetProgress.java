package dev.ambit.operator.fleet.model;

import dev.ambit.api.Stage;
import dev.ambit.api.Wave;
import dev.ambit.operator.model.Names;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How a fleet as a whole is doing. */
public sealed interface FleetProgress {
  /** Why it is so, in one word, as conditions and events have it. */
  String reason();

  /** What a person should know of it. */
  String message();

  /** Every namespace that a wave takes is where it should be. */
  record Done(int namespaces, Stage stage, int held) implements FleetProgress {
    @Override
    public String reason() {
      return "AllNamespacesDone";
    }

    @Override
    public String message() {
      return "All "
          + namespaces
          + " namespaces of the fleet are at stage "
          + stage.text()
          + "."
          + (held == 0 ? "" : " The fleet leaves " + held + " alone: see status.held.");
    }
  }

  /** Namespaces are on their way, or about to be. */
  record Moving(String wave, int moving, int waiting, int done) implements FleetProgress {
    @Override
    public String reason() {
      return "NamespacesMoving";
    }

    @Override
    public String message() {
      return "Wave "
          + wave
          + ": "
          + moving
          + " namespaces are on their way, "
          + waiting
          + " wait, "
          + done
          + " are done.";
    }
  }

  /** A wave is through, and the next one waits for its bake time. */
  record Baking(String wave, Instant until) implements FleetProgress {
    @Override
    public String reason() {
      return "Baking";
    }

    @Override
    public String message() {
      return "The namespaces of wave " + wave + " are done; the next wave begins at " + until + ".";
    }
  }

  /** It stays where it is while spec.paused is set. */
  record Paused(int moving, int waiting) implements FleetProgress {
    @Override
    public String reason() {
      return "Paused";
    }

    @Override
    public String message() {
      return moving
          + " namespaces stay on their way and "
          + waiting
          + " wait while spec.paused is true. Set it to false to go on.";
    }
  }

  /** Namespaces are yet to leave. */
  record Leaving(int left) implements FleetProgress {
    @Override
    public String reason() {
      return "NamespacesLeaving";
    }

    @Override
    public String message() {
      return left + " namespaces have yet to leave the fleet.";
    }
  }

  /** Nothing more happens until a person changes something. */
  record Stalled(String reason, String message) implements FleetProgress {}

  /** Judges. */
  static FleetProgress of(
      FleetObservation observed,
      Map<String, Place> places,
      Map<String, Integer> waveOf,
      boolean complete,
      @Nullable Instant bakedAt,
      int open) {
    List<String> failed = names(places, Place.Failed.class);
    int moving = names(places, Place.Moving.class).size();
    int waiting = names(places, Place.Waiting.class).size();
    int done = names(places, Place.Done.class).size();
    int leaving =
        (int)
            observed.namespaces().stream()
                .filter(each -> places.get(each.name()) instanceof Place.Leaving)
                .filter(FleetNamespace::hasChild)
                .count();
    if (observed.deleting()) {
      return new Leaving(leaving);
    }
    if (!observed.meshInstalled()) {
      return new Stalled(
          "NoAmbientMesh",
          "There is no AmbientMesh, or it is being deleted, so no namespace begins. Create one"
              + " named default.");
    }
    int most = observed.spec().maxFailed();
    if (failed.size() > most) {
      return new Stalled(
          "TooManyFailed",
          failed.size()
              + " namespaces are stalled, more than spec.maxFailed ("
              + most
              + ") allows, so no further one begins: "
              + Names.some(failed)
              + ". See status.held and their MeshEnrollments.");
    }
    if (observed.spec().paused() && !complete) {
      return new Paused(moving, waiting);
    }
    Wave wave = observed.spec().effectiveWaves().get(open);
    if (bakedAt != null && moving == 0) {
      return new Baking(wave.name(), bakedAt);
    }
    if (!complete) {
      return new Moving(wave.name(), moving, waiting, done);
    }
    if (leaving > 0) {
      return new Leaving(leaving);
    }
    if (!failed.isEmpty()) {
      return new Stalled(
          "NamespacesFailed",
          failed.size()
              + " namespaces are stalled, and all others are done: "
              + Names.some(failed)
              + ".");
    }
    List<String> conflicts = conflicts(observed);
    return conflicts.isEmpty()
        ? new Done(done, observed.spec().template().stage(), names(places, Place.Held.class).size())
        : new Stalled("NamespacesConflict", conflictMessage(conflicts));
  }

  /** Namespaces that another fleet has. */
  static List<String> conflicts(FleetObservation observed) {
    return observed.namespaces().stream()
        .filter(each -> each.standing() instanceof Standing.OtherFleet)
        .map(FleetNamespace::name)
        .toList();
  }

  /** What a person should know of them. */
  static String conflictMessage(List<String> conflicts) {
    return "Another ClusterMeshEnrollment, which is older, selects "
        + conflicts.size()
        + " of the namespaces too and decides for them: "
        + Names.some(conflicts)
        + ". Make the selectors exclude each other; status.held names the other one.";
  }

  private static List<String> names(Map<String, Place> places, Class<? extends Place> kind) {
    return places.entrySet().stream()
        .filter(each -> kind.isInstance(each.getValue()))
        .map(Map.Entry::getKey)
        .sorted()
        .toList();
  }
}
