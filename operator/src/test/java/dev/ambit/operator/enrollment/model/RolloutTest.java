package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AbortThreshold;
import dev.ambit.api.Conditions;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.EnrollmentWaypoint;
import dev.ambit.api.Finding;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.OnAbort;
import dev.ambit.api.Phase;
import dev.ambit.api.RolloutSpec;
import dev.ambit.api.RolloutStatus;
import dev.ambit.api.RolloutStep;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.PodNumber;
import dev.ambit.operator.preflight.model.PreflightReasons;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How a user's enrollment moves, with agents that do what is released. */
class RolloutTest {
  private static final Instant START = Instant.parse("2026-11-22T12:00:00Z");
  private static final Finding ERROR =
      new Finding(Severity.ERROR, PreflightReasons.HBONE_BLOCKED, "NetworkPolicy shop/a", "m");
  private static final Finding WARNING =
      new Finding(Severity.WARNING, PreflightReasons.HOST_NETWORK, "Pod shop/b", "m");
  private static final RolloutSpec STEPS =
      new RolloutSpec(
          List.of(
              new RolloutStep("10%", "2m"),
              new RolloutStep("50%", "5m"),
              new RolloutStep("100%", null)),
          null,
          null);

  /** A namespace with an enrollment, an operator that looks at it, and its nodes' agents. */
  private static final class Shop {
    private final List<String> pods = new ArrayList<>();
    private final Set<String> redirected = new HashSet<>();
    private final Set<String> unproven = new HashSet<>();
    private final Set<String> optedOut = new HashSet<>();
    private MeshEnrollmentSpec spec = MeshEnrollmentSpec.of(Stage.L4);
    private long generation = 1;
    private Instant now = START;
    private List<Finding> findings = List.of();
    private Traffic traffic = Traffic.NONE;
    private WaypointState waypoint = WaypointState.NONE;
    private Optional<Instant> servingSince = Optional.of(Instant.EPOCH);
    private boolean makeWaypoint;
    private boolean removeLeftovers;
    private @Nullable String label;
    private MeshEnrollmentStatus status = MeshEnrollmentStatus.NOTHING_YET;

    Shop(int count) {
      for (int i = 0; i < count; i++) {
        pods.add("pod-" + i);
      }
    }

    Shop labelled(String value) {
      label = value;
      return this;
    }

    Shop spec(MeshEnrollmentSpec next) {
      if (!next.equals(spec)) {
        generation++;
      }
      spec = next;
      return this;
    }

    Shop rollout(RolloutSpec rollout) {
      return spec(
          new MeshEnrollmentSpec(
              spec.stage(),
              rollout,
              spec.mtls(),
              spec.quietFor(),
              null,
              null,
              spec.paused(),
              false));
    }

    Shop stage(Stage stage) {
      return spec(
          new MeshEnrollmentSpec(
              stage,
              spec.rollout(),
              spec.mtls(),
              spec.quietFor(),
              null,
              null,
              spec.paused(),
              false));
    }

    Shop paused(boolean paused) {
      return spec(
          new MeshEnrollmentSpec(
              spec.stage(),
              spec.rollout(),
              spec.mtls(),
              spec.quietFor(),
              null,
              null,
              paused,
              false));
    }

    Shop dryRun(boolean dryRun) {
      return spec(
          new MeshEnrollmentSpec(
              spec.stage(),
              spec.rollout(),
              spec.mtls(),
              spec.quietFor(),
              null,
              null,
              spec.paused(),
              dryRun));
    }

    Shop mtls(EnrollmentMtls mode) {
      return spec(
          new MeshEnrollmentSpec(
              spec.stage(),
              spec.rollout(),
              mode,
              spec.quietFor(),
              null,
              null,
              spec.paused(),
              false));
    }

    Shop findings(Finding... now) {
      findings = List.of(now);
      return this;
    }

    Shop traffic(long connections, long failed, String... unheard) {
      traffic = new Traffic(connections, failed, List.of(unheard));
      return this;
    }

    Shop waypoint(WaypointState.Wanted wanted, String... leftovers) {
      waypoint = new WaypointState(wanted, true, List.of(leftovers));
      return this;
    }

    Shop servingSince(@Nullable Instant since) {
      servingSince = Optional.ofNullable(since);
      return this;
    }

    Shop after(Duration time) {
      now = now.plus(time);
      return this;
    }

    private Map<String, String> labels() {
      return label == null ? Map.of() : Map.of(WellKnown.DATAPLANE_MODE, label);
    }

    private Pod pod(String name) {
      return new PodBuilder()
          .withNewMetadata()
          .withNamespace("shop")
          .withName(name)
          .withUid(name)
          .withAnnotations(
              redirected.contains(name)
                  ? Map.of(WellKnown.REDIRECTION, WellKnown.REDIRECTION_ENABLED)
                  : Map.of())
          .withLabels(optedOut.contains(name) ? Map.of(WellKnown.DATAPLANE_MODE, "none") : Map.of())
          .endMetadata()
          .withNewStatus()
          .withPhase("Running")
          .withPodIP("10.0.0.1")
          .endStatus()
          .build();
    }

    private Map<String, Proof> proofs() {
      return pods.stream()
          .filter(name -> !unproven.contains(name))
          .collect(Collectors.toMap(name -> name, name -> Proof.HOLDS));
    }

    /** The operator looks; it knows nothing but the object and the pods. */
    MeshEnrollmentStatus look() {
      boolean plan = spec.dryRun() && status.inForce() == null;
      var observed =
          new EnrollmentObservation(
              plan ? new EnrollmentSource.Plan(spec) : new EnrollmentSource.User(spec),
              generation,
              // As an operator that has just started reads it.
              Serialization.unmarshal(Serialization.asYaml(status), MeshEnrollmentStatus.class),
              DataplaneMode.of(labels()),
              label == null ? "" : label,
              EnrollmentObservation.cutOf(DataplaneMode.of(labels())),
              false,
              true,
              600,
              new EnrolledPods(
                  "shop", labels(), Set.of(), pods.stream().map(this::pod).toList(), proofs()),
              waypoint,
              findings,
              traffic,
              MtlsObservation.NONE,
              "ambit-system",
              Optional.of(List.of()),
              servingSince,
              now);
      var assessment = Assessment.of(observed);
      status = StatusReport.of(observed, assessment, null);
      makeWaypoint = assessment.makeWaypoint();
      removeLeftovers = assessment.removeLeftovers();
      traffic = Traffic.NONE;
      return status;
    }

    /** Each agent does what is in force. */
    Shop agentsAct() {
      InForce inForce = status.inForce();
      var facts =
          new NamespaceFacts("shop", labels(), Set.of(), inForce == null ? null : inForce.cut());
      for (String name : pods) {
        if (CaptureDecision.of(PodFacts.of(pod(name)), facts) instanceof CaptureDecision.Captured) {
          redirected.add(name);
        } else {
          redirected.remove(name);
        }
      }
      return this;
    }

    MeshEnrollmentStatus settle() {
      look();
      agentsAct();
      return look();
    }

    RolloutStatus rolledOut() {
      return Objects.requireNonNull(status.rollout());
    }
  }

  private static String reason(MeshEnrollmentStatus status, String type) {
    return Conditions.find(status.conditions(), type).orElseThrow().getReason();
  }

  private static String message(MeshEnrollmentStatus status, String type) {
    return Conditions.find(status.conditions(), type).orElseThrow().getMessage();
  }

  private static int cut(MeshEnrollmentStatus status) {
    return Objects.requireNonNull(status.inForce()).cut();
  }

  private static @Nullable EnrollmentMtls mtls(MeshEnrollmentStatus status) {
    return Objects.requireNonNull(status.inForce()).mtls();
  }

  @Test
  void withoutARolloutAllPodsAreTakenAtOnce() {
    var shop = new Shop(7);
    assertThat(shop.look().phase()).isEqualTo(Phase.CAPTURING);
    assertThat(cut(shop.status)).isEqualTo(PodNumber.ALL);
    shop.agentsAct();
    assertThat(shop.look().phase()).isEqualTo(Phase.DONE);
    assertThat(shop.status.stage()).isEqualTo(Stage.L4);
    assertThat(shop.rolledOut().summary()).isEqualTo("1/1");
  }

  @Test
  void stepsAreTakenOneAfterAnotherEachAfterItsBakeTime() {
    var shop = new Shop(20).rollout(STEPS);
    var status = shop.look();
    assertThat(status.phase()).isEqualTo(Phase.CAPTURING);
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(message(status, Conditions.READY)).startsWith("Step 1/3: 2 of 2 pods");
    assertThat(Objects.requireNonNull(status.pods()).held()).isEqualTo(18);
    shop.agentsAct();
    assertThat(shop.redirected).hasSize(2);

    status = shop.look();
    assertThat(status.phase()).isEqualTo(Phase.BAKING);
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isTrue();
    assertThat(message(status, Conditions.READY)).contains("until 2026-11-22T12:02:00Z");
    assertThat(shop.after(Duration.ofSeconds(119)).settle().phase()).isEqualTo(Phase.BAKING);
    assertThat(shop.redirected).hasSize(2);

    var first = Set.copyOf(shop.redirected);
    status = shop.after(Duration.ofSeconds(1)).settle();
    assertThat(shop.redirected).hasSize(10).containsAll(first);
    assertThat(status.phase()).isEqualTo(Phase.BAKING);
    assertThat(shop.rolledOut().summary()).isEqualTo("2/3");
    assertThat(Conditions.holds(status.conditions(), Conditions.CAPTURED)).isFalse();

    status = shop.after(Duration.ofMinutes(5)).settle();
    assertThat(shop.redirected).hasSize(20);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(Objects.requireNonNull(status.pods()).held()).isZero();
    assertThat(shop.rolledOut().complete()).isTrue();
  }

  @Test
  void aStepWaitsForPodsThatAreNotCaptured() {
    var shop = new Shop(20).rollout(STEPS);
    shop.look();
    assertThat(shop.after(Duration.ofHours(1)).look().phase()).isEqualTo(Phase.CAPTURING);
    assertThat(shop.rolledOut().summary()).isEqualTo("1/3");
    // The bake time begins once they are.
    shop.agentsAct().look();
    assertThat(shop.after(Duration.ofSeconds(119)).look().phase()).isEqualTo(Phase.BAKING);
    // A pod that is made anew meanwhile holds the next step, and takes no bake time back.
    var one = shop.redirected.iterator().next();
    shop.redirected.remove(one);
    assertThat(shop.after(Duration.ofSeconds(60)).look().phase()).isEqualTo(Phase.CAPTURING);
    assertThat(shop.rolledOut().summary()).isEqualTo("1/3");
    shop.redirected.add(one);
    shop.look();
    assertThat(shop.rolledOut().summary()).isEqualTo("2/3");
  }

  @Test
  void aStepIsNotBakedBeforeItsPodsAreProven() {
    var shop = new Shop(20).rollout(STEPS);
    shop.look();
    shop.agentsAct();
    var one = shop.redirected.iterator().next();
    shop.unproven.add(one);
    assertThat(shop.after(Duration.ofHours(1)).look().phase()).isEqualTo(Phase.PROVING);
    assertThat(shop.rolledOut().bakingSince()).isNull();
    shop.unproven.clear();
    assertThat(shop.look().phase()).isEqualTo(Phase.BAKING);
    // Lost again: the next step waits.
    shop.unproven.add(one);
    assertThat(shop.after(Duration.ofHours(1)).look().phase()).isEqualTo(Phase.PROVING);
    assertThat(shop.rolledOut().step()).isEqualTo(1);
  }

  @Test
  void inASmallNamespaceTheFirstStepTakesOnePod() {
    var shop = new Shop(3).rollout(STEPS);
    shop.settle();
    assertThat(shop.redirected).hasSize(1);
    shop.after(Duration.ofMinutes(2)).settle();
    assertThat(shop.redirected).hasSize(2);
  }

  @Test
  void aPausedRolloutStaysWhereItIsAndGoesOnFromThere() {
    var shop = new Shop(20).rollout(STEPS);
    shop.settle();
    var status = shop.paused(true).after(Duration.ofHours(1)).settle();
    assertThat(status.phase()).isEqualTo(Phase.PAUSED);
    assertThat(shop.redirected).hasSize(2);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isFalse();
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isFalse();
    assertThat(Conditions.holds(status.conditions(), Conditions.STALLED)).isFalse();
    assertThat(message(status, Conditions.READY)).contains("step 1/3", "spec.paused");
    // Pods baked all the while.
    shop.paused(false).settle();
    assertThat(shop.redirected).hasSize(10);
  }

  @Test
  void pausedBeforeTheFirstStepNothingIsTaken() {
    var shop = new Shop(5).paused(true);
    assertThat(shop.settle().phase()).isEqualTo(Phase.PAUSED);
    assertThat(shop.redirected).isEmpty();
  }

  @Test
  void aPausedEnrollmentDoesNotLeaveEither() {
    var shop = new Shop(5);
    shop.settle();
    var status = shop.stage(Stage.NONE).paused(true).settle();
    assertThat(status.phase()).isEqualTo(Phase.PAUSED);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(shop.redirected).hasSize(5);
    assertThat(shop.paused(false).settle().phase()).isEqualTo(Phase.DONE);
    assertThat(shop.redirected).isEmpty();
    assertThat(shop.status.stage()).isEqualTo(Stage.NONE);
  }

  @Test
  void preflightErrorsHoldAndWarningsDoNot() {
    var shop = new Shop(5).findings(ERROR, WARNING);
    var status = shop.settle();
    assertThat(status.phase()).isEqualTo(Phase.PREFLIGHT);
    assertThat(shop.redirected).isEmpty();
    assertThat(Conditions.holds(status.conditions(), Conditions.PREFLIGHT_PASSED)).isFalse();
    assertThat(reason(status, Conditions.PREFLIGHT_PASSED)).isEqualTo("NetworkPolicyBlocksHbone");
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("PreflightFailed");
    assertThat(Conditions.holds(status.conditions(), Conditions.STALLED)).isTrue();
    assertThat(status.findings()).containsExactly(ERROR, WARNING);

    status = shop.findings(WARNING).settle();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.PREFLIGHT_PASSED)).isTrue();
    assertThat(reason(status, Conditions.PREFLIGHT_PASSED)).isEqualTo("OnlyWarnings");
  }

  @Test
  void anErrorThatMayPassIsWaitedFor() {
    var passing = new Finding(Severity.ERROR, PreflightReasons.ZTUNNEL_NOT_READY, "Node a", "m");
    var status = new Shop(5).findings(passing).settle();
    assertThat(status.phase()).isEqualTo(Phase.PREFLIGHT);
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isTrue();
    assertThat(Conditions.holds(status.conditions(), Conditions.STALLED)).isFalse();
  }

  @Test
  void anErrorInTheMiddleHoldsTheNextStepAndTakesNothingBack() {
    var shop = new Shop(20).rollout(STEPS);
    shop.settle();
    var status = shop.findings(ERROR).after(Duration.ofMinutes(3)).settle();
    assertThat(status.phase()).isEqualTo(Phase.PREFLIGHT);
    assertThat(shop.redirected).hasSize(2);
    assertThat(message(status, Conditions.READY)).startsWith("No more pods are captured");
  }

  @Test
  void anErrorInANamespaceThatHasArrivedIsOnlyReported() {
    var shop = new Shop(5);
    shop.settle();
    var status = shop.findings(ERROR).settle();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.PREFLIGHT_PASSED)).isFalse();
  }

  @Test
  void aDryRunTouchesNothingWhateverItAsksFor() {
    var shop = new Shop(5).dryRun(true).findings(ERROR);
    var status = shop.settle();
    assertThat(status.phase()).isEqualTo(Phase.PLANNED);
    assertThat(status.inForce()).isNull();
    assertThat(shop.redirected).isEmpty();
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isTrue();
    assertThat(message(status, Conditions.READY)).contains("1 errors");
    // It becomes more.
    assertThat(shop.dryRun(false).findings().settle().phase()).isEqualTo(Phase.DONE);
    assertThat(shop.redirected).hasSize(5);
    // And plans again.
    status = shop.stage(Stage.NONE).dryRun(true).settle();
    assertThat(status.phase()).isEqualTo(Phase.PLANNED);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(shop.redirected).hasSize(5);
  }

  @Test
  void aDryRunBesideTheLabelLeavesItsPodsAlone() {
    var shop = new Shop(5).labelled("ambient");
    shop.agentsAct();
    assertThat(shop.redirected).hasSize(5);
    shop.stage(Stage.NONE).dryRun(true).settle();
    assertThat(shop.redirected).hasSize(5);
  }

  @Test
  void whatTheLabelHasTakenStaysTakenWhenAnEnrollmentTakesOver() {
    var shop = new Shop(20).labelled("ambient").rollout(STEPS);
    shop.agentsAct();
    var status = shop.look();
    assertThat(cut(status)).isEqualTo(PodNumber.ALL);
    shop.agentsAct();
    assertThat(shop.redirected).hasSize(20);
    assertThat(shop.look().phase()).isEqualTo(Phase.DONE);
  }

  private static RolloutSpec aborting(OnAbort onAbort) {
    return new RolloutSpec(STEPS.steps(), new AbortThreshold("1%", 50), onAbort);
  }

  @Test
  void failuresBelowTheThresholdOrOfTooFewConnectionsDoNotAbort() {
    var shop = new Shop(20).rollout(aborting(OnAbort.ROLLBACK));
    shop.settle();
    assertThat(shop.traffic(49, 49).look().phase()).isEqualTo(Phase.BAKING);
    shop = new Shop(20).rollout(aborting(OnAbort.ROLLBACK));
    shop.settle();
    assertThat(shop.traffic(1000, 10).look().phase()).isEqualTo(Phase.BAKING);
    assertThat(shop.rolledOut().connections()).isEqualTo(1000);
    assertThat(shop.rolledOut().failedConnections()).isEqualTo(10);
    // Each step counts for itself.
    shop.after(Duration.ofMinutes(2)).look();
    assertThat(shop.rolledOut().step()).isEqualTo(2);
    assertThat(shop.rolledOut().connections()).isZero();
  }

  @Test
  void tooManyFailuresRollBackAndItStaysSoUntilTheSpecChanges() {
    var shop = new Shop(20).rollout(aborting(OnAbort.ROLLBACK));
    shop.settle();
    assertThat(shop.redirected).hasSize(2);
    shop.traffic(60, 0).look();
    var status = shop.traffic(40, 2).look();
    assertThat(status.phase()).isEqualTo(Phase.ROLLING_BACK);
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isTrue();
    assertThat(message(status, Conditions.READY)).startsWith("2 of 100 connections failed");
    shop.agentsAct();
    assertThat(shop.redirected).isEmpty();
    status = shop.after(Duration.ofHours(1)).settle();
    assertThat(status.phase()).isEqualTo(Phase.STALLED);
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("RolloutAborted");
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(cut(status)).isZero();
    assertThat(shop.redirected).isEmpty();

    status = shop.paused(true).paused(false).settle();
    assertThat(status.phase()).isEqualTo(Phase.BAKING);
    assertThat(shop.redirected).hasSize(2);
    assertThat(shop.rolledOut().failedConnections()).isZero();
  }

  @Test
  void onHoldPodsStayInTheMeshAndNoMoreAreTaken() {
    var shop = new Shop(20).rollout(aborting(OnAbort.HOLD));
    shop.settle();
    var status = shop.traffic(100, 50).after(Duration.ofHours(1)).settle();
    assertThat(status.phase()).isEqualTo(Phase.STALLED);
    assertThat(reason(status, Conditions.READY)).isEqualTo("RolloutAborted");
    assertThat(shop.redirected).hasSize(2);
    assertThat(shop.after(Duration.ofHours(1)).settle().phase()).isEqualTo(Phase.STALLED);
    assertThat(shop.redirected).hasSize(2);
  }

  @Test
  void withoutFiguresARolloutThatTurnsOnThemDoesNotGoOn() {
    var shop = new Shop(20).rollout(aborting(OnAbort.ROLLBACK));
    shop.settle();
    var status = shop.traffic(0, 0, "node-1").after(Duration.ofHours(1)).look();
    assertThat(status.phase()).isEqualTo(Phase.BAKING);
    assertThat(reason(status, Conditions.READY)).isEqualTo("TrafficUnknown");
    assertThat(message(status, Conditions.READY)).contains("node-1");
    shop.look();
    assertThat(shop.rolledOut().step()).isEqualTo(2);
  }

  @Test
  void failuresAfterTheLastStepDoNotAbort() {
    var shop = new Shop(4).rollout(new RolloutSpec(null, new AbortThreshold("1%", 1), null));
    shop.settle();
    assertThat(shop.status.phase()).isEqualTo(Phase.DONE);
    assertThat(shop.traffic(100, 100).settle().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void aStepsChangedInTheMiddleGoOnFromWhatIsReleased() {
    var shop = new Shop(20).rollout(STEPS);
    shop.settle();
    var quicker =
        new RolloutSpec(
            List.of(
                new RolloutStep("5%", "1h"),
                new RolloutStep("30%", "1h"),
                new RolloutStep("100%", null)),
            null,
            null);
    shop.rollout(quicker).look();
    assertThat(shop.redirected).hasSize(2);
    assertThat(shop.rolledOut().summary()).isEqualTo("1/3");
    shop.after(Duration.ofHours(1)).settle();
    assertThat(shop.redirected).hasSize(6);
    // No rollout any more: the rest at once.
    shop.spec(MeshEnrollmentSpec.of(Stage.L4)).settle();
    assertThat(shop.redirected).hasSize(20);
    assertThat(shop.look().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void aNamespaceThatHasArrivedStaysSoWhenItsStepsChange() {
    var shop = new Shop(20);
    shop.settle();
    assertThat(shop.rollout(STEPS).settle().phase()).isEqualTo(Phase.DONE);
    assertThat(shop.redirected).hasSize(20);
  }

  @Test
  void strictMtlsWaitsUntilAllPodsAreInTheMeshAndGoesBeforeTheyLeave() {
    var shop = new Shop(20).rollout(STEPS).mtls(EnrollmentMtls.STRICT);
    assertThat(mtls(shop.settle())).isEqualTo(EnrollmentMtls.PERMISSIVE);
    shop.after(Duration.ofHours(1)).settle();
    shop.after(Duration.ofHours(1)).settle();
    assertThat(shop.look().phase()).isEqualTo(Phase.DONE);
    assertThat(mtls(shop.status)).isEqualTo(EnrollmentMtls.STRICT);
    // A pod that comes later is waited for, and opens nothing.
    shop.pods.add("pod-late");
    assertThat(shop.look().phase()).isEqualTo(Phase.CAPTURING);
    assertThat(mtls(shop.status)).isEqualTo(EnrollmentMtls.STRICT);
    shop.stage(Stage.NONE).look();
    assertThat(mtls(shop.status)).isEqualTo(EnrollmentMtls.PERMISSIVE);
  }

  @Test
  void aPodThatOptsOutIsNoPartOfTheShares() {
    var shop = new Shop(4);
    shop.optedOut.addAll(List.of("pod-0", "pod-1"));
    shop.rollout(
        new RolloutSpec(
            List.of(new RolloutStep("50%", "1m"), new RolloutStep("100%", null)), null, null));
    shop.settle();
    assertThat(shop.redirected).hasSize(1).doesNotContain("pod-0", "pod-1");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 10, 57})
  void everyRolloutEndsWithAllPodsInTheMesh(int pods) {
    var shop = new Shop(pods).rollout(STEPS);
    int before = 0;
    for (int i = 0; i < 6; i++) {
      shop.after(Duration.ofMinutes(6)).settle();
      assertThat(shop.redirected.size()).isGreaterThanOrEqualTo(before);
      before = shop.redirected.size();
    }
    assertThat(shop.look().phase()).isEqualTo(Phase.DONE);
    assertThat(shop.redirected).hasSize(pods);
  }

  private static final WaypointState.Wanted ABSENT = new WaypointState.Wanted.Absent();
  private static final WaypointState.Wanted NOT_READY =
      new WaypointState.Wanted.NotReady("no instance is ready");
  private static final WaypointState.Wanted READY = new WaypointState.Wanted.Ready(false);
  private static final WaypointState.Wanted KNOWING = new WaypointState.Wanted.Ready(true);

  private static @Nullable String bound(Shop shop) {
    return Objects.requireNonNull(shop.status.inForce()).waypoint();
  }

  private static @Nullable String next(Shop shop) {
    return Objects.requireNonNull(shop.status.inForce()).nextWaypoint();
  }

  @Test
  void whatPreflightFindsForStageL7HoldsTheBindingAndTakesNoneBack() {
    var shop = new Shop(4);
    assertThat(shop.settle().stage()).isEqualTo(Stage.L4);
    var status = shop.stage(Stage.L7).findings(ERROR).waypoint(READY).settle();
    assertThat(status.phase()).isEqualTo(Phase.PREFLIGHT);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(message(status, Conditions.READY)).contains("The waypoint is not bound: 1");
    assertThat(next(shop)).isNull();
    assertThat(shop.makeWaypoint).isFalse();
    shop.findings(WARNING).settle();
    shop.findings(ERROR).waypoint(KNOWING).look();
    assertThat(bound(shop)).as("found at the last moment").isNull();
    shop.findings().waypoint(READY).settle();
    assertThat(shop.waypoint(KNOWING).settle().stage()).isEqualTo(Stage.L7);
    status = shop.findings(ERROR).settle();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(status.stage()).isEqualTo(Stage.L7);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
  }

  private static Shop atL7() {
    var shop = new Shop(4).stage(Stage.L7).waypoint(READY);
    shop.settle();
    shop.waypoint(KNOWING).look();
    assertThat(shop.status.phase()).isEqualTo(Phase.DONE);
    assertThat(shop.status.stage()).isEqualTo(Stage.L7);
    assertThat(bound(shop)).isEqualTo("waypoint");
    return shop;
  }

  @Test
  void aWaypointIsMadeOnlyOnceAllPodsAreInTheMeshAndBoundOnlyOnceItIsReady() {
    var shop = new Shop(20).rollout(STEPS).stage(Stage.L7).waypoint(ABSENT);
    assertThat(shop.settle().phase()).isEqualTo(Phase.BAKING);
    assertThat(shop.makeWaypoint).isFalse();
    shop.after(Duration.ofMinutes(2)).settle();
    var status = shop.after(Duration.ofMinutes(5)).settle();
    assertThat(status.phase()).isEqualTo(Phase.BINDING_WAYPOINT);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(shop.makeWaypoint).isTrue();
    assertThat(bound(shop)).isNull();
    status = shop.waypoint(NOT_READY).look();
    assertThat(status.phase()).isEqualTo(Phase.BINDING_WAYPOINT);
    assertThat(bound(shop)).isNull();
    assertThat(message(status, Conditions.READY)).contains("no instance is ready");
    assertThat(Conditions.holds(status.conditions(), Conditions.WAYPOINT_READY)).isFalse();
    // What it said before it was told of anything counts not.
    status = shop.waypoint(KNOWING).look();
    assertThat(bound(shop)).isNull();
    assertThat(next(shop)).isEqualTo("waypoint");
    status = shop.waypoint(READY).look();
    assertThat(bound(shop)).isNull();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.BINDING_WAYPOINT);
    assertThat(message(status, Conditions.READY)).contains("knows what is to go through it");
    // One that fails meanwhile is still told, and not bound.
    shop.waypoint(NOT_READY).look();
    assertThat(next(shop)).isEqualTo("waypoint");
    assertThat(bound(shop)).isNull();
    status = shop.waypoint(KNOWING).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(next(shop)).isNull();
    assertThat(status.stage()).isEqualTo(Stage.L7);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.WAYPOINT_READY)).isTrue();
  }

  @Test
  void aWaypointThatIsNoLongerAskedForIsNoLongerTheNext() {
    for (var stage : List.of(Stage.L4, Stage.NONE)) {
      var shop = new Shop(4).stage(Stage.L7).waypoint(READY);
      shop.settle();
      assertThat(next(shop)).isEqualTo("waypoint");
      shop.stage(stage).waypoint(ABSENT, "waypoint").look();
      assertThat(next(shop)).isNull();
      assertThat(bound(shop)).isNull();
      // No node was told of it.
      assertThat(shop.removeLeftovers).isTrue();
    }
  }

  @Test
  void aReadyWaypointDoesNotTakeTrafficBeforeEveryPodIsProven() {
    var shop = new Shop(4).stage(Stage.L7).waypoint(READY);
    shop.unproven.add("pod-1");
    assertThat(shop.settle().phase()).isEqualTo(Phase.PROVING);
    assertThat(bound(shop)).isNull();
  }

  @Test
  void aWaypointThatFailsLaterStaysBoundAndIsTold() {
    var shop = atL7();
    var status = shop.waypoint(NOT_READY).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(status.stage()).isEqualTo(Stage.L7);
    assertThat(status.phase()).isEqualTo(Phase.BINDING_WAYPOINT);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isFalse();
    assertThat(next(shop)).isNull();
    assertThat(shop.waypoint(READY).look().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void backToL4TheWaypointIsUnboundFirstAndTakenAwayOnceEveryZtunnelKnows() {
    var shop = atL7();
    var status = shop.stage(Stage.L4).waypoint(ABSENT).look();
    assertThat(bound(shop)).isNull();
    assertThat(status.phase()).isEqualTo(Phase.UNBINDING_WAYPOINT);
    assertThat(shop.removeLeftovers).isFalse();
    status = shop.waypoint(ABSENT, "waypoint").after(Duration.ofSeconds(9)).look();
    assertThat(shop.removeLeftovers).isFalse();
    shop.after(Duration.ofSeconds(1)).look();
    assertThat(shop.removeLeftovers).isTrue();
    assertThat(shop.status.phase()).isEqualTo(Phase.UNBINDING_WAYPOINT);
    status = shop.waypoint(ABSENT).look();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.waypoint()).isNull();
    assertThat(shop.redirected).hasSize(4);
  }

  @Test
  void anotherOperatorTellsEveryZtunnelBeforeItTakesAwayAWaypoint() {
    var shop = atL7();
    shop.stage(Stage.L4).waypoint(ABSENT).look();
    // Nobody told ztunnels of it meanwhile.
    shop.servingSince(null).waypoint(ABSENT, "waypoint").after(Duration.ofSeconds(30)).look();
    assertThat(shop.removeLeftovers).isFalse();
    shop.servingSince(shop.now).look();
    assertThat(shop.removeLeftovers).isFalse();
    shop.after(Duration.ofSeconds(9)).look();
    assertThat(shop.removeLeftovers).isFalse();
    shop.after(Duration.ofSeconds(1)).look();
    assertThat(shop.removeLeftovers).isTrue();
  }

  @Test
  void outOfTheMeshTheWaypointGoesFirstAndThenThePods() {
    var shop = atL7();
    shop.stage(Stage.NONE).waypoint(ABSENT).settle();
    assertThat(bound(shop)).isNull();
    assertThat(shop.redirected).hasSize(4);
    var status = shop.waypoint(ABSENT, "waypoint").after(Duration.ofSeconds(10)).settle();
    assertThat(status.phase()).isEqualTo(Phase.UNBINDING_WAYPOINT);
    assertThat(shop.redirected).hasSize(4);
    status = shop.waypoint(ABSENT).settle();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(shop.redirected).isEmpty();
  }

  @Test
  void aWaypointThatWasNeverBoundIsTakenAwayAtOnce() {
    var shop = new Shop(4).stage(Stage.L7).waypoint(NOT_READY);
    shop.settle();
    var status = shop.stage(Stage.NONE).waypoint(ABSENT, "waypoint").look();
    assertThat(shop.removeLeftovers).isTrue();
    assertThat(status.phase()).isEqualTo(Phase.UNBINDING_WAYPOINT);
    assertThat(shop.waypoint(ABSENT).settle().stage()).isEqualTo(Stage.NONE);
    assertThat(shop.redirected).isEmpty();
  }

  @Test
  void anotherWaypointIsAwaitedBeforeTheOldOneIsLetGo() {
    var shop = atL7();
    var renamed =
        new MeshEnrollmentSpec(
            Stage.L7, null, null, null, null, EnrollmentWaypoint.named("other"), false, false);
    var status = shop.spec(renamed).waypoint(NOT_READY).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(status.phase()).isEqualTo(Phase.BINDING_WAYPOINT);
    shop.waypoint(READY).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(next(shop)).isEqualTo("other");
    shop.waypoint(KNOWING).look();
    assertThat(bound(shop)).isEqualTo("other");
    shop.waypoint(READY, "waypoint").after(Duration.ofSeconds(10)).look();
    assertThat(shop.removeLeftovers).isTrue();
    assertThat(shop.waypoint(READY).look().phase()).isEqualTo(Phase.DONE);
    assertThat(bound(shop)).isEqualTo("other");
  }

  @Test
  void pausedNothingIsBoundUnboundOrMade() {
    var shop = new Shop(4);
    shop.settle();
    shop.stage(Stage.L7).paused(true).waypoint(READY).look();
    assertThat(shop.status.phase()).isEqualTo(Phase.PAUSED);
    assertThat(bound(shop)).isNull();
    assertThat(shop.makeWaypoint).isFalse();
    shop.paused(false).look();
    shop.waypoint(KNOWING).look();
    shop.stage(Stage.L4).paused(true).waypoint(ABSENT).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    shop.stage(Stage.NONE).look();
    assertThat(bound(shop)).isEqualTo("waypoint");
    assertThat(shop.removeLeftovers).isFalse();
  }

  private static Stream<MeshEnrollmentSpec> specs() {
    return Stream.of(Stage.values())
        .flatMap(
            stage ->
                Stream.of(Optional.<RolloutSpec>empty(), Optional.of(STEPS))
                    .flatMap(
                        rollout ->
                            Stream.of(false, true)
                                .map(
                                    paused ->
                                        new MeshEnrollmentSpec(
                                            stage,
                                            rollout.orElse(null),
                                            null,
                                            null,
                                            null,
                                            null,
                                            paused,
                                            false))));
  }

  @ParameterizedTest
  @MethodSource("specs")
  void lookingAgainChangesNothing(MeshEnrollmentSpec spec) {
    var shop = new Shop(9).spec(spec);
    shop.settle();
    var once = shop.look();
    assertThat(shop.look()).isEqualTo(once);
  }
}
