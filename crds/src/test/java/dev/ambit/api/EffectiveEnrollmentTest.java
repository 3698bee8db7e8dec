package dev.ambit.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EffectiveEnrollmentTest {
  private static MeshEnrollment enrollment(String name, String created) {
    var enrollment = new MeshEnrollment();
    enrollment.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace("shop")
            .withName(name)
            .withCreationTimestamp(created)
            .build());
    return enrollment;
  }

  @Test
  void defaultComesFirstThenTheOldest() {
    var old = enrollment("team", "2026-01-01T00:00:00Z");
    var older = enrollment("platform", "2025-01-01T00:00:00Z");
    var byName = enrollment("default", "2026-06-01T00:00:00Z");
    assertThat(EffectiveEnrollment.of(List.of(old, older, byName))).contains(byName);
    assertThat(EffectiveEnrollment.of(List.of(old, older))).contains(older);
  }

  @Test
  void aFleetsCountsWhereTheUserHasNone() {
    var fleets = enrollment("fleet", "2025-01-01T00:00:00Z");
    fleets.getMetadata().setLabels(Map.of(WellKnown.FLEET, "platform"));
    var own = enrollment("team", "2026-01-01T00:00:00Z");
    assertThat(EffectiveEnrollment.of(List.of(fleets, own))).contains(own);
    assertThat(EffectiveEnrollment.of(List.of(fleets))).contains(fleets);
    assertThat(fleets.fleet()).contains("platform");
    assertThat(enrollment("fleet", "2025-01-01T00:00:00Z").fleet())
        .as("a user's own that happens to have that name")
        .isEmpty();
  }

  @Test
  void theMirrorAndWhatIsBeingDeletedDoNotCount() {
    var mirror = enrollment("labels", "2025-01-01T00:00:00Z");
    mirror.getMetadata().setLabels(Map.of(WellKnown.MIRROR, "true"));
    var going = enrollment("default", "2025-01-01T00:00:00Z");
    going.getMetadata().setDeletionTimestamp("2026-01-01T00:00:00Z");
    assertThat(EffectiveEnrollment.of(List.of(mirror, going))).isEmpty();
  }

  @Test
  void onlyTheOperatorsObjectIsAMirror() {
    var byName = enrollment("labels", "2025-01-01T00:00:00Z");
    assertThat(byName.isMirror()).isFalse();
    var byLabel = enrollment("default", "2025-01-01T00:00:00Z");
    byLabel.getMetadata().setLabels(Map.of(WellKnown.MIRROR, "true"));
    assertThat(byLabel.isMirror()).isFalse();
  }

  private static MeshEnrollment dryRun(MeshEnrollment enrollment) {
    enrollment.setSpec(new MeshEnrollmentSpec(Stage.L4, null, null, null, null, null, null, true));
    return enrollment;
  }

  private static MeshEnrollment released(MeshEnrollment enrollment, int cut) {
    enrollment.setStatus(
        MeshEnrollmentStatus.NOTHING_YET.withInForce(
            new InForce(cut, null, null, null, null, null)));
    return enrollment;
  }

  @Test
  void aDryRunCountsOnlyOnceItHasBeenMore() {
    var plan = dryRun(enrollment("default", "2025-01-01T00:00:00Z"));
    var acting = enrollment("team", "2026-01-01T00:00:00Z");
    assertThat(EffectiveEnrollment.of(List.of(plan))).isEmpty();
    assertThat(EffectiveEnrollment.of(List.of(plan, acting))).contains(acting);
    released(plan, 7);
    assertThat(EffectiveEnrollment.of(List.of(plan, acting))).contains(plan);
  }

  @Test
  void whatIsInForceStaysSoUntilTheOperatorHasLookedAtANewEnrollment() {
    var team = released(enrollment("team", "2026-01-01T00:00:00Z"), 7);
    var byName = enrollment("default", "2026-06-01T00:00:00Z");
    assertThat(EffectiveEnrollment.of(List.of(team, byName))).contains(byName);
    assertThat(EffectiveEnrollment.inForce(List.of(team, byName)).orElseThrow().cut()).isEqualTo(7);
    released(byName, 9);
    assertThat(EffectiveEnrollment.inForce(List.of(team, byName)).orElseThrow().cut()).isEqualTo(9);
    assertThat(EffectiveEnrollment.inForce(List.of())).isEmpty();
  }
}
