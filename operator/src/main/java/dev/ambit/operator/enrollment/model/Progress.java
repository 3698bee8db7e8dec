package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import java.util.List;

/** How far a namespace is on its way to the stage that is asked for. */
public sealed interface Progress {
  /** Where the namespace is. */
  Stage stage();

  /** Why it is so, in one word, as conditions and events have it. */
  String reason();

  /** What a person should know of it. */
  String message();

  /** What the status calls it. */
  default Phase phase() {
    return switch (this) {
      case Capturing ignored -> Phase.CAPTURING;
      case Leaving ignored -> Phase.LEAVING;
      case Done ignored -> Phase.DONE;
      case Stalled ignored -> Phase.STALLED;
    };
  }

  /** Pods are yet to be captured. */
  record Capturing(Stage stage, List<String> waiting, int captured) implements Progress {
    @Override
    public String reason() {
      return "PodsNotCaptured";
    }

    @Override
    public String message() {
      return waiting.size()
          + " of "
          + (waiting.size() + captured)
          + " pods are not captured yet: "
          + Names.some(waiting)
          + ". The agents of their nodes (DaemonSet ambit-agent) tell why if this lasts.";
    }
  }

  /**
   * Pods are yet to leave.
   *
   * @param draining how many of them only have connections left that end in the tunnel
   * @param drainSeconds for how long at most they may have
   */
  record Leaving(Stage stage, List<String> lingering, int draining, int drainSeconds)
      implements Progress {
    @Override
    public String reason() {
      return "PodsLeaving";
    }

    @Override
    public String message() {
      String leaving =
          lingering.size() + " pods are leaving the mesh: " + Names.some(lingering) + ".";
      return draining == 0
          ? leaving
          : leaving
              + " New connections of "
              + draining
              + " of them are plain already; those in the tunnel may go on for at most "
              + drainSeconds
              + " s (spec.leaving.drainSeconds of the AmbientMesh).";
    }
  }

  /** The namespace is where it should be. */
  record Done(Stage stage, int captured) implements Progress {
    @Override
    public String reason() {
      return switch (stage) {
        case NONE -> "OutsideMesh";
        case L4 -> "AllPodsCaptured";
      };
    }

    @Override
    public String message() {
      return switch (stage) {
        case NONE -> "The namespace is outside the mesh.";
        case L4 -> "All pods that should be captured are captured: " + captured + ".";
      };
    }
  }

  /** Nothing happens until a person changes something. */
  record Stalled(Stage stage, String reason, String message) implements Progress {}
}
