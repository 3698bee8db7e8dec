package dev.ambit.operator.fleet.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Instant;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The MeshEnrollment that a fleet has made in a namespace.
 *
 * @param mine whether it is this fleet's, and not another one's that is to be taken over
 */
public record FleetChild(
    MeshEnrollmentSpec spec,
    @Nullable Long generation,
    MeshEnrollmentStatus status,
    boolean deleting,
    boolean mine) {

  /** One as it is in the cluster. */
  public static FleetChild of(MeshEnrollment enrollment, boolean mine) {
    return new FleetChild(
        enrollment.effectiveSpec(),
        enrollment.getMetadata().getGeneration(),
        Objects.requireNonNullElse(enrollment.getStatus(), MeshEnrollmentStatus.NOTHING_YET),
        enrollment.getMetadata().getDeletionTimestamp() != null,
        mine);
  }

  /** Whether a fleet would do the same about both. */
  public boolean standsAs(FleetChild other) {
    return spec.equals(other.spec())
        && Objects.equals(generation, other.generation())
        && deleting == other.deleting()
        && status.phase() == other.status().phase()
        && hasArrived() == other.hasArrived()
        && stalled().equals(other.stalled())
        && stuckSince().equals(other.stuckSince());
  }

  /** Whether it asks for that, paused or not. */
  boolean asksFor(MeshEnrollmentSpec template) {
    return spec.withPaused(false).equals(template.withPaused(false));
  }

  private boolean isObserved() {
    return generation != null && Objects.equals(generation, status.observedGeneration());
  }

  /** Why nothing happens until a person changes something. */
  Optional<Condition> stalled() {
    return isObserved()
        ? Conditions.find(status.conditions(), Conditions.STALLED)
            .filter(condition -> "True".equals(condition.getStatus()))
        : Optional.empty();
  }

  /**
   * Whether the namespace is where the object asks for. Pods that come and go afterwards do not
   * take that back.
   */
  boolean hasArrived() {
    if (!isObserved() || stalled().isPresent()) {
      return false;
    }
    Phase phase = status.phase();
    if (phase == null) {
      return false;
    }
    if (spec.dryRun()) {
      return phase == Phase.PLANNED;
    }
    if (status.stage() != spec.stage()) {
      return false;
    }
    if (spec.stage() == Stage.NONE) {
      return phase == Phase.DONE;
    }
    boolean rolledOut = status.rollout() != null && status.rollout().complete();
    return rolledOut
        && switch (phase) {
          case DONE, CAPTURING, PROVING, LEAVING -> true;
          case PREFLIGHT,
              PLANNED,
              BAKING,
              BINDING_WAYPOINT,
              UNBINDING_WAYPOINT,
              PAUSED,
              ROLLING_BACK,
              STALLED ->
              false;
        };
  }

  /** Whether it changes the namespace now. */
  boolean isInMotion() {
    return !hasArrived() && stalled().isEmpty();
  }

  /** Whether it has been told to leave. */
  boolean isToldToLeave() {
    return spec.stage() == Stage.NONE && !spec.dryRun() && !spec.paused();
  }

  /** Since when it has been where it is, and not ready: since its last step at the earliest. */
  Optional<Instant> stuckSince() {
    if (!isObserved()) {
      return Optional.empty();
    }
    Instant step =
        status.history().stream()
            .findFirst()
            .map(transition -> Instant.parse(transition.time()))
            .orElse(Instant.MIN);
    return Conditions.find(status.conditions(), Conditions.READY)
        .filter(condition -> "False".equals(condition.getStatus()))
        .map(condition -> Instant.parse(condition.getLastTransitionTime()))
        .map(unready -> unready.isAfter(step) ? unready : step);
  }
}
