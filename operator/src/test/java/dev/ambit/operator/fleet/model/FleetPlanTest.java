package dev.ambit.operator.fleet.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.ClusterMeshEnrollmentSpec;
import dev.ambit.api.Conditions;
import dev.ambit.api.HeldNamespace;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.NamespaceSelector;
import dev.ambit.api.Phase;
import dev.ambit.api.SelectorOperator;
import dev.ambit.api.SelectorRequirement;
import dev.ambit.api.Stage;
import dev.ambit.api.Wave;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FleetPlanTest {
  private static final NamespaceSelector ALL = new NamespaceSelector(null, null);

  private static ClusterMeshEnrollmentSpec spec(
      @Nullable List<Wave> waves, int maxConcurrent, int maxFailed) {
    return new ClusterMeshEnrollmentSpec(
        ALL, waves, maxConcurrent, maxFailed, MeshEnrollmentSpec.of(Stage.L4), false);
  }

  private static String reason(FleetWorld world) {
    return Conditions.find(world.status().conditions(), Conditions.READY).orElseThrow().getReason();
  }

  private static boolean holds(FleetWorld world, String type) {
    return Conditions.holds(world.status().conditions(), type);
  }

  @Test
  void namespacesMoveAFewAtATimeInTheirOrder() {
    var world = FleetWorld.of(spec(null, 2, 0), "a", "b", "c");
    assertThat(world.look()).containsExactly("a", "b");
    assertThat(world.look()).isEmpty();
    assertThat(reason(world)).isEqualTo("NamespacesMoving");
    assertThat(world.status().moving())
        .extracting(each -> each.namespace())
        .containsExactly("a", "b");
    world.succeed();
    assertThat(world.look()).containsExactly("c");
    world.succeed();
    world.look();
    assertThat(reason(world)).isEqualTo("AllNamespacesDone");
    assertThat(holds(world, Conditions.READY)).isTrue();
    assertThat(world.counts().done()).isEqualTo(3);
    assertThat(world.status().phases()).containsExactly(Map.entry("Done", 3));
  }

  @Test
  void theNextWaveWaitsForTheBakeTimeOfTheOneBefore() {
    var waves = List.of(new Wave("first", null, "34%", "10m"), new Wave("rest", null, null, null));
    var world = FleetWorld.of(spec(waves, 5, 0), "a", "b", "c");
    assertThat(world.look()).hasSize(2);
    world.succeed();
    assertThat(world.look()).isEmpty();
    assertThat(reason(world)).isEqualTo("Baking");
    assertThat(world.plan().again()).isPresent();
    world.pass(Duration.ofMinutes(9));
    assertThat(world.look()).isEmpty();
    world.pass(Duration.ofMinutes(2));
    assertThat(world.look()).hasSize(1);
    assertThat(world.wave().summary()).isEqualTo("2/2");
  }

  @Test
  void aNamespaceThatFailsStopsTheFleetOrIsPassedOverAsAllowed() {
    var strict = FleetWorld.of(spec(null, 1, 0), "a", "b", "c");
    strict.breaks("a", true);
    strict.look();
    strict.succeed();
    assertThat(strict.look()).isEmpty();
    assertThat(reason(strict)).isEqualTo("TooManyFailed");
    assertThat(holds(strict, Conditions.STALLED)).isTrue();
    assertThat(strict.status().held())
        .containsExactly(new HeldNamespace("a", "RolloutAborted", "m"));
    strict.breaks("a", false);
    strict.loses("a");
    assertThat(strict.look()).as("deleting its MeshEnrollment tries again").containsExactly("a");

    var lenient = FleetWorld.of(spec(null, 1, 1), "a", "b");
    lenient.breaks("a", true);
    lenient.look();
    lenient.succeed();
    assertThat(lenient.look()).containsExactly("b");
    lenient.succeed();
    lenient.look();
    assertThat(reason(lenient)).isEqualTo("NamespacesFailed");
    assertThat(holds(lenient, Conditions.READY)).isFalse();
  }

  @Test
  void aPauseHoldsWhatIsOnItsWayAndAChangeOfTheTemplateWithIt() {
    var world = FleetWorld.of(spec(null, 1, 0), "a", "b");
    world.look();
    world.pause(true);
    world.edit(MeshEnrollmentSpec.of(Stage.L7));
    assertThat(world.look()).isEmpty();
    assertThat(world.child("a").spec()).isEqualTo(MeshEnrollmentSpec.of(Stage.L4).withPaused(true));
    assertThat(reason(world)).isEqualTo("Paused");
    assertThat(holds(world, Conditions.RECONCILING)).isFalse();
    assertThat(world.plan().actions()).isEmpty();
    world.pause(false);
    world.look();
    assertThat(world.child("a").spec()).isEqualTo(MeshEnrollmentSpec.of(Stage.L7));
  }

  @Test
  void aUsersOwnEnrollmentWinsAndTheFleetsGoesOnceItHolds() {
    var world = FleetWorld.of(spec(null, 5, 0), "a", "b");
    world.look();
    world.succeed();
    world.standing("a", new Standing.Own("default", false));
    assertThat(world.plan().actions()).isEmpty();
    world.standing("a", new Standing.Own("default", true));
    assertThat(world.plan().actions()).containsExactly(new FleetAction.Delete("a"));
    world.look();
    world.look();
    assertThat(world.status().held())
        .extracting(HeldNamespace::namespace, HeldNamespace::reason)
        .containsExactly(org.assertj.core.groups.Tuple.tuple("a", "OwnEnrollment"));
    assertThat(holds(world, Conditions.READY)).isTrue();
  }

  @Test
  void aNamespaceOfNoWaveDoesNotMove() {
    var waves = List.of(new Wave("half", null, "50%", null));
    var world = FleetWorld.of(spec(waves, 5, 0), "a", "b");
    assertThat(world.look()).hasSize(1);
    world.succeed();
    world.look();
    assertThat(world.status().held()).extracting(HeldNamespace::reason).containsExactly("NoWave");
    assertThat(holds(world, Conditions.READY)).isTrue();
  }

  @Test
  void aNamespaceThatIsSelectedNoLongerLeavesAndIsThenForgotten() {
    var world = FleetWorld.of(spec(null, 5, 0), "a");
    world.look();
    world.succeed();
    world.look();
    world.standing("a", new Standing.Deselected());
    assertThat(world.plan().actions())
        .containsExactly(new FleetAction.Apply("a", MeshEnrollmentSpec.of(Stage.NONE)));
    world.look();
    assertThat(world.plan().actions()).isEmpty();
    world.succeed();
    assertThat(world.plan().actions()).containsExactly(new FleetAction.Delete("a"));
  }

  @Test
  void oneThatCannotLeaveIsGivenUpSomeTimeAfterItsLastStep() {
    var world = FleetWorld.of(spec(null, 5, 0), "a");
    world.look();
    world.comesTo("a", Stage.L4, Phase.PROVING);
    world.pass(Duration.ofDays(2));
    world.standing("a", new Standing.Deselected());
    world.look();
    // That it was not ready for long before is no reason to take it out at once.
    world.comesTo("a", Stage.L4, Phase.LEAVING);
    assertThat(world.plan().actions()).isEmpty();
    world.pass(Duration.ofDays(1));
    assertThat(world.plan().actions()).containsExactly(new FleetAction.Delete("a"));
  }

  @Test
  void anotherFleetsIsTakenOverAsItIsBeforeItMoves() {
    var other = MeshEnrollmentSpec.of(Stage.L7);
    var world =
        FleetWorld.of(
            spec(
                List.of(
                    new Wave("none", new NamespaceSelector(Map.of("x", "y"), null), null, null)),
                5,
                0),
            "a");
    world.give("a", new FleetChild(other, 1L, MeshEnrollmentStatus.NOTHING_YET, false, false));
    assertThat(world.plan().actions()).containsExactly(new FleetAction.Apply("a", other));
  }

  @Test
  void twoFleetsOfOneNamespaceAreReportedByTheYounger() {
    var world = FleetWorld.of(spec(null, 5, 0), "a", "b");
    world.standing("a", new Standing.OtherFleet("older"));
    assertThat(world.look()).containsExactly("b");
    assertThat(holds(world, FleetStatusReport.CONFLICT)).isTrue();
    assertThat(holds(world, Conditions.STALLED)).isFalse();
    world.succeed();
    world.look();
    assertThat(reason(world)).isEqualTo("NamespacesConflict");
    assertThat(holds(world, Conditions.STALLED)).isTrue();
  }

  @Test
  void podsThatComeAndGoDoNotMakeANamespaceMoveAgain() {
    var world = FleetWorld.of(spec(null, 1, 0), "a", "b");
    world.look();
    world.succeed();
    world.give("a", FleetWorld.inPhase(world.child("a"), Stage.L4, Phase.CAPTURING));
    assertThat(world.look()).containsExactly("b");
    assertThat(world.counts().done()).isEqualTo(1);
  }

  private static ClusterMeshEnrollment fleet(
      String name, String created, @Nullable String deleted) {
    ClusterMeshEnrollment fleet = new ClusterMeshEnrollment();
    fleet.setMetadata(
        new ObjectMetaBuilder()
            .withName(name)
            .withUid("uid-" + name)
            .withCreationTimestamp(created)
            .withDeletionTimestamp(deleted)
            .addToLabels("app.kubernetes.io/instance", "argo")
            .addToAnnotations("argocd.argoproj.io/tracking-id", "app:x")
            .build());
    fleet.setSpec(spec(null, 1, 0));
    return fleet;
  }

  @Test
  void theOlderFleetWinsAndOneThatIsBeingDeletedDoesNot() {
    var young = fleet("a", "2026-01-02T00:00:00Z", null);
    var old = fleet("b", "2026-01-01T00:00:00Z", null);
    var gone = fleet("c", "2025-01-01T00:00:00Z", "2026-01-03T00:00:00Z");
    assertThat(Claims.winner(List.of(young, old, gone), Map.of())).contains("b");
    assertThat(Claims.winner(List.of(young, gone), Map.of())).contains("a");
    assertThat(Claims.winner(List.of(gone), Map.of())).isEmpty();
  }

  @Test
  void theChildHasAnOwnerAndNoMarkOfOtherTools() {
    MeshEnrollment child =
        FleetEnrollment.of(
            fleet("platform", "2026-01-02T00:00:00Z", null),
            "shop",
            MeshEnrollmentSpec.of(Stage.L4));
    assertThat(child.getMetadata().getLabels())
        .containsEntry("ambit.dev/fleet", "platform")
        .doesNotContainKey("app.kubernetes.io/instance");
    assertThat(child.getMetadata().getAnnotations()).isEmpty();
    assertThat(child.getMetadata().getOwnerReferences()).hasSize(1);
    var owner = child.getMetadata().getOwnerReferences().getFirst();
    assertThat(owner.getKind()).isEqualTo("ClusterMeshEnrollment");
    assertThat(owner.getUid()).isEqualTo("uid-platform");
    assertThat(child.fleet()).contains("platform");
  }

  @Test
  void selectorsAreKubernetesOwn() {
    var labels = Map.of("team", "a");
    assertThat(ALL.selects(Map.of())).isTrue();
    assertThat(new NamespaceSelector(Map.of("team", "a"), null).selects(labels)).isTrue();
    assertThat(new NamespaceSelector(Map.of("team", "b"), null).selects(labels)).isFalse();
    assertThat(expression(SelectorOperator.IN, "a", "b").selects(labels)).isTrue();
    assertThat(expression(SelectorOperator.IN, "b").selects(labels)).isFalse();
    assertThat(expression(SelectorOperator.NOT_IN, "b").selects(Map.of())).isTrue();
    assertThat(expression(SelectorOperator.EXISTS).selects(Map.of())).isFalse();
    assertThat(expression(SelectorOperator.DOES_NOT_EXIST).selects(labels)).isFalse();
  }

  private static NamespaceSelector expression(SelectorOperator operator, String... values) {
    return new NamespaceSelector(
        null, List.of(new SelectorRequirement("team", operator, List.of(values))));
  }
}
