package dev.ambit.operator.enrollment.model;

import dev.ambit.api.AbortThreshold;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.EnrollmentWaypoint;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.OnAbort;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.RolloutStatus;
import dev.ambit.api.RolloutStep;
import dev.ambit.api.WaypointStatus;
import dev.ambit.api.WhenMissing;
import dev.ambit.capture.PodNumber;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * How much of a user's enrollment is released to node agents and the control plane. All that it
 * turns on is in the object's spec and status, so an operator that starts goes on where the last
 * one was.
 *
 * @param rollout null where none is under way or was
 * @param waypoint null where nothing is bound or was
 * @param strictness null where nothing of the spec is taken up, or pods leave
 */
record Release(
    InForce inForce,
    @Nullable RolloutStatus rollout,
    @Nullable WaypointStatus waypoint,
    @Nullable Strictness strictness) {

  /**
   * For so long the control plane may take to tell every ztunnel of a binding's end, and they to
   * come back to one that was away.
   */
  static final Duration SETTLE = Duration.ofSeconds(10);

  /** What to release of an enrollment now. */
  static Release of(EnrollmentObservation observed, MeshEnrollmentSpec spec) {
    InForce before = observed.before().inForce();
    int cut = before == null ? observed.cutOfOthers() : before.cut();
    if (spec.dryRun() && before != null) {
      return unchanged(observed);
    }
    return switch (spec.stage()) {
      case NONE -> {
        if (spec.paused()) {
          yield unchanged(observed);
        }
        // First from the waypoint, and then from the mesh.
        Release unbound = unbind(observed, unchanged(observed));
        yield unbound.waypoint() == null && observed.waypoint().leftovers().isEmpty()
            ? leave(observed, spec)
            : unbound;
      }
      case L4 -> {
        Release joined = join(observed, spec, cut);
        yield spec.paused() ? joined : unbind(observed, joined);
      }
      case L7 -> {
        Release joined = join(observed, spec, cut);
        yield spec.paused() ? joined : bind(observed, spec, joined);
      }
    };
  }

  /** Nothing goes to the waypoint before all pods are in the mesh and it is ready for them. */
  private static Release bind(
      EnrollmentObservation observed, MeshEnrollmentSpec spec, Release joined) {
    String wanted = spec.effectiveWaypoint().name();
    String bound = joined.inForce().waypoint();
    boolean ready =
        joined.isComplete()
            && observed.pods().census(joined.inForce().cut()).allIn()
            && observed.waypoint().isReady();
    if (wanted.equals(bound) || joined.isHeldFromWaypoint(observed, spec)) {
      return joined.settled(observed);
    }
    InForce before = observed.before().inForce();
    boolean announced = before != null && wanted.equals(before.nextWaypoint());
    if (ready && announced && observed.waypoint().knowsNamespace()) {
      return joined.boundTo(wanted, observed.now());
    }
    Release waiting = joined.settled(observed);
    return ready || announced ? waiting.preparing(wanted) : waiting;
  }

  /** What preflight finds lets no traffic go to a waypoint, and takes none from one that has it. */
  boolean isHeldFromWaypoint(EnrollmentObservation observed, MeshEnrollmentSpec spec) {
    return !observed.errors().isEmpty()
        && !spec.effectiveWaypoint().name().equals(inForce.waypoint());
  }

  /** Nodes hear of a waypoint once it has said that it knows what is to go through it. */
  private Release preparing(@Nullable String name) {
    return new Release(inForce.preparing(name), rollout, waypoint, strictness);
  }

  private static Release unbind(EnrollmentObservation observed, Release joined) {
    return joined.inForce().waypoint() == null
        ? joined.preparing(null).settled(observed)
        : joined.boundTo(null, observed.now());
  }

  private Release boundTo(@Nullable String name, Instant now) {
    return new Release(
        inForce.boundTo(name),
        rollout,
        new WaypointStatus(now.truncatedTo(ChronoUnit.SECONDS).toString(), inForce.waypoint()),
        strictness);
  }

  /** What was left behind is gone once its Gateway is, or was never the enrollment's. */
  private Release settled(EnrollmentObservation observed) {
    if (waypoint == null || !mayRemove(observed)) {
      return this;
    }
    boolean gone = observed.waypoint().leftovers().isEmpty();
    if (!gone) {
      return this;
    }
    return new Release(
        inForce,
        rollout,
        inForce.waypoint() == null ? null : new WaypointStatus(waypoint.since(), null),
        strictness);
  }

  /** Whether a Gateway that nothing is bound to any more may go. */
  boolean mayRemove(EnrollmentObservation observed) {
    return waypoint == null
        || Stream.of(Optional.of(Instant.parse(waypoint.since())), observed.servingSince())
            .allMatch(
                since -> since.isPresent() && !observed.now().isBefore(since.get().plus(SETTLE)));
  }

  /** Everything stays as it is, and nothing of the spec is taken up. */
  static Release unchanged(EnrollmentObservation observed) {
    InForce before = observed.before().inForce();
    return new Release(
        before == null ? new InForce(observed.cutOfOthers(), null, null, null, null, null) : before,
        observed.before().rollout(),
        observed.before().waypoint(),
        null);
  }

  private static Release leave(EnrollmentObservation observed, MeshEnrollmentSpec spec) {
    // A pod that has left sends plaintext to those that are about to.
    boolean settled = observed.pods().census(0).lingering().isEmpty();
    EnrollmentMtls asked = spec.mtls();
    EnrollmentMtls mtls =
        asked == null || (asked == EnrollmentMtls.STRICT && settled)
            ? asked
            : EnrollmentMtls.PERMISSIVE;
    return new Release(
        new InForce(0, mtls, spec.udp(), whenMissing(spec), null, null), null, null, null);
  }

  private static Release join(EnrollmentObservation observed, MeshEnrollmentSpec spec, int cut) {
    Rollout rollout = new Rollout(observed, spec.effectiveRollout(), cut);
    rollout.count();
    if (!spec.paused()) {
      rollout.advance();
    }
    RolloutStatus status = rollout.status();
    boolean all = status.complete() && observed.pods().census(rollout.cut).allIn();
    Strictness strictness = Strictness.of(observed, spec, rollout.cut, all);
    return new Release(
        new InForce(
            rollout.cut,
            strictness.mtls(),
            spec.udp(),
            whenMissing(spec),
            boundBefore(observed),
            null),
        status,
        observed.before().waypoint(),
        strictness);
  }

  private static @Nullable String boundBefore(EnrollmentObservation observed) {
    InForce before = observed.before().inForce();
    return before == null ? null : before.waypoint();
  }

  private static @Nullable WhenMissing whenMissing(MeshEnrollmentSpec spec) {
    EnrollmentWaypoint waypoint = spec.waypoint();
    return waypoint == null ? null : waypoint.whenMissing();
  }

  /** How far strict mTLS is; as it was where nothing of the spec is taken up. */
  @Nullable MtlsStatus mtlsStatus(EnrollmentObservation observed) {
    if (strictness != null) {
      return strictness.status();
    }
    return inForce.cut() > 0 ? observed.before().mtls() : null;
  }

  /** Whether the rollout of this generation of the spec was given up. */
  boolean isAborted(long generation) {
    return rollout != null && Objects.equals(rollout.abortedGeneration(), generation);
  }

  boolean isComplete() {
    return rollout != null && rollout.complete();
  }

  /** The steps, one after another. */
  private static final class Rollout {
    private final EnrollmentObservation observed;
    private final RolloutSpec spec;
    private final List<RolloutStep> steps;
    private final List<Integer> numbers;
    private int cut;
    private int step;
    private @Nullable Instant bakingSince;
    private boolean complete;
    private long connections;
    private long failed;
    private boolean aborted;

    Rollout(EnrollmentObservation observed, RolloutSpec spec, int cut) {
      this.observed = observed;
      this.spec = spec;
      this.steps = spec.steps();
      this.numbers = observed.pods().numbers();
      this.cut = cut;
      RolloutStatus before = observed.before().rollout();
      boolean sameSpec =
          Objects.equals(observed.before().observedGeneration(), observed.generation());
      if (before == null) {
        step = stepsWithin(cut);
        return;
      }
      step = sameSpec ? before.step() : stepsWithin(cut);
      aborted = Objects.equals(before.abortedGeneration(), observed.generation());
      if (step == before.step() || cut >= PodNumber.ALL) {
        complete = before.complete() && step == steps.size();
        String since = before.bakingSince();
        bakingSince = since == null ? null : Instant.parse(since);
        // What made another generation's rollout fail does not count against this one.
        if (before.abortedGeneration() == null || aborted) {
          connections = before.connections();
          failed = before.failedConnections();
        }
      }
    }

    /** How many steps a cut has gone through, where it is of another spec or another object. */
    private int stepsWithin(int released) {
      return (int)
          steps.stream().filter(each -> PodNumber.cut(each.percent(), numbers) <= released).count();
    }

    void count() {
      if (step > 0 && !complete && !aborted) {
        connections += observed.traffic().connections();
        failed += observed.traffic().failed();
      }
    }

    /** Goes as far as it can now. */
    void advance() {
      AbortThreshold threshold = spec.abortAbove();
      if (!complete && threshold != null && threshold.isExceeded(failed, connections)) {
        aborted = true;
      }
      if (aborted) {
        bakingSince = null;
        if (spec.onAbort() == OnAbort.ROLLBACK) {
          cut = 0;
        }
        return;
      }
      while (!complete && goOn()) {
        // Steps without a bake time, or whose pods are there already, take no time.
      }
    }

    private boolean goOn() {
      if (cut < PodNumber.ALL && !observed.errors().isEmpty()) {
        return false;
      }
      if (step == 0) {
        begin(1);
        return true;
      }
      if (!observed.pods().census(cut).allIn()) {
        return false;
      }
      if (bakingSince == null) {
        bakingSince = observed.now().truncatedTo(ChronoUnit.SECONDS);
      }
      boolean blind = spec.abortAbove() != null && !observed.traffic().unheard().isEmpty();
      if (blind || observed.now().isBefore(bakingSince.plus(bake(step)))) {
        return false;
      }
      if (step == steps.size()) {
        complete = true;
      } else {
        begin(step + 1);
      }
      return true;
    }

    private Duration bake(int of) {
      return steps.get(of - 1).bakeTime();
    }

    private void begin(int next) {
      step = next;
      cut = Math.max(cut, PodNumber.cut(steps.get(next - 1).percent(), numbers));
      bakingSince = null;
      connections = 0;
      failed = 0;
    }

    RolloutStatus status() {
      return new RolloutStatus(
          step,
          steps.size(),
          step + "/" + steps.size(),
          bakingSince == null ? null : bakingSince.toString(),
          complete,
          connections,
          failed,
          aborted ? observed.generation() : null);
    }
  }

  /** Until when the present step is to be baked; null where it is not being baked. */
  static @Nullable Instant bakedAt(RolloutStatus rollout, RolloutSpec spec) {
    String since = rollout.bakingSince();
    if (since == null || rollout.complete() || rollout.step() == 0) {
      return null;
    }
    return Instant.parse(since).plus(spec.steps().get(rollout.step() - 1).bakeTime());
  }
}
