package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Finding;
import dev.ambit.api.Phase;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.operator.model.Names;
import dev.ambit.operator.preflight.model.PreflightReasons;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

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
      case Planned ignored -> Phase.PLANNED;
      case Preflight ignored -> Phase.PREFLIGHT;
      case Capturing ignored -> Phase.CAPTURING;
      case Proving ignored -> Phase.PROVING;
      case Baking ignored -> Phase.BAKING;
      case BindingWaypoint ignored -> Phase.BINDING_WAYPOINT;
      case UnbindingWaypoint ignored -> Phase.UNBINDING_WAYPOINT;
      case Paused ignored -> Phase.PAUSED;
      case RollingBack ignored -> Phase.ROLLING_BACK;
      case Leaving ignored -> Phase.LEAVING;
      case Done ignored -> Phase.DONE;
      case Stalled ignored -> Phase.STALLED;
    };
  }

  /** A dry run: nothing is touched. */
  record Planned(Stage stage, List<Finding> findings, Stage asked) implements Progress {
    @Override
    public String reason() {
      return "DryRun";
    }

    @Override
    public String message() {
      long errors = findings.stream().filter(f -> f.severity() == Severity.ERROR).count();
      return "status.plan says what stage "
          + asked.text()
          + " would change; preflight has "
          + (errors == 0
              ? "no errors."
              : errors + " errors, which would hold it (status.findings).")
          + " Nothing is touched while spec.dryRun is true.";
    }
  }

  /**
   * Preflight has found what would break.
   *
   * @param held what does not go on; what is done stays so
   */
  record Preflight(Stage stage, List<Finding> errors, Held held) implements Progress {
    /** What an error holds. */
    enum Held {
      ALL_PODS("No pod is captured"),
      MORE_PODS("No more pods are captured"),
      WAYPOINT("The waypoint is not bound");

      private final String text;

      Held(String text) {
        this.text = text;
      }
    }

    @Override
    public String reason() {
      return "PreflightFailed";
    }

    @Override
    public String message() {
      Finding first = errors.getFirst();
      return held.text
          + ": "
          + errors.size()
          + " errors in status.findings, the first "
          + first.reason()
          + " at "
          + first.object()
          + ". "
          + first.message();
    }

    /** Whether it may pass without a person. */
    public boolean mayPass() {
      return errors.stream().allMatch(error -> PreflightReasons.PASSING.contains(error.reason()));
    }
  }

  /**
   * Pods are yet to be captured.
   *
   * @param step the step of the rollout; empty without one
   */
  record Capturing(Stage stage, String step, List<String> waiting, int captured)
      implements Progress {
    @Override
    public String reason() {
      return "PodsNotCaptured";
    }

    @Override
    public String message() {
      return (step.isEmpty() ? "" : "Step " + step + ": ")
          + waiting.size()
          + " of "
          + (waiting.size() + captured)
          + " pods are not captured yet: "
          + Names.some(waiting)
          + ". The agents of their nodes (DaemonSet ambit-agent) tell why if this lasts.";
    }
  }

  /**
   * Captured pods have yet to show their identity in a handshake.
   *
   * @param step the step of the rollout; empty without one
   * @param unproven each with the problem
   */
  record Proving(Stage stage, String step, List<String> unproven, int proven) implements Progress {
    @Override
    public String reason() {
      return "PodsNotProven";
    }

    @Override
    public String message() {
      return (step.isEmpty() ? "" : "Step " + step + ": ")
          + unproven.size()
          + " of "
          + (unproven.size() + proven)
          + " captured pods have not shown their identity in a handshake with port 15008: "
          + Names.some(unproven)
          + ". It is tried again. If this lasts, see whether a NetworkPolicy keeps the operator"
          + " from that port, and what the ztunnel of their node logs.";
    }
  }

  /**
   * The pods of a step are in the mesh for its bake time.
   *
   * @param unheard nodes whose ztunnel does not say how many connections failed
   */
  record Baking(Stage stage, String step, Instant until, List<String> unheard) implements Progress {
    @Override
    public String reason() {
      return unheard.isEmpty() ? "Baking" : "TrafficUnknown";
    }

    @Override
    public String message() {
      return unheard.isEmpty()
          ? "The pods of step " + step + " are in the mesh, and are baked until " + until + "."
          : "The rollout does not go on from step "
              + step
              + ", since ztunnels do not say how many connections failed: "
              + Names.some(unheard)
              + ". Their port 15020 must be reachable from the operator.";
    }
  }

  /**
   * The waypoint cannot be used yet, or no more.
   *
   * @param bound what the namespace is bound to meanwhile; null for nothing
   */
  record BindingWaypoint(Stage stage, String waypoint, @Nullable String bound, String problem)
      implements Progress {
    @Override
    public String reason() {
      return "WaypointNotReady";
    }

    @Override
    public String message() {
      return "Waypoint "
          + waypoint
          + " cannot be used: "
          + problem
          + ". "
          + (bound == null
              ? "Until it can, traffic does not go through it."
              : "The namespace is bound to "
                  + bound
                  + " meanwhile; where that cannot be used, spec.waypoint.whenMissing holds.");
    }
  }

  /** Nothing new goes to a waypoint any more, and it is to go. */
  record UnbindingWaypoint(Stage stage, String waypoint) implements Progress {
    @Override
    public String reason() {
      return "WaypointLeaving";
    }

    @Override
    public String message() {
      return "Traffic does not go through "
          + waypoint
          + " any more. It is taken away once every ztunnel knows, if the enrollment made it.";
    }
  }

  /** A person has stopped it for now. */
  record Paused(Stage stage, Stage asked, String effect) implements Progress {
    @Override
    public String reason() {
      return "Paused";
    }

    @Override
    public String message() {
      return "On the way to stage "
          + asked.text()
          + ", "
          + effect
          + " while spec.paused is true. Set it to false to go on.";
    }
  }

  /** Too many connections failed, and pods are yet to leave again. */
  record RollingBack(Stage stage, String cause, List<String> lingering, int draining)
      implements Progress {
    @Override
    public String reason() {
      return "RolloutAborted";
    }

    @Override
    public String message() {
      return cause
          + " "
          + lingering.size()
          + " pods are leaving the mesh again: "
          + Names.some(lingering)
          + ".";
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
        case L7 -> "WaypointBound";
      };
    }

    @Override
    public String message() {
      return switch (stage) {
        case NONE -> "The namespace is outside the mesh.";
        case L4 -> "All pods that should be captured are captured and proven: " + captured + ".";
        case L7 ->
            "All pods that should be captured are captured and proven: "
                + captured
                + ", and traffic goes through the waypoint.";
      };
    }
  }

  /** Nothing happens until a person changes something. */
  record Stalled(Stage stage, String reason, String message) implements Progress {}
}
