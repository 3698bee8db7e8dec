package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.operator.enrollment.model.MirrorDecision.Mirror;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class MirrorDecisionTest {
  private static Mirror mirror(Stage asked, @Nullable Stage reached, @Nullable Phase phase) {
    return new Mirror(asked, 2L, status(reached, phase));
  }

  private static MeshEnrollmentStatus status(@Nullable Stage reached, @Nullable Phase phase) {
    return new MeshEnrollmentStatus(
        2L, reached, phase, null, List.of(), null, null, null, null, List.of(), null, List.of(),
        List.of());
  }

  private static MirrorDecision decide(DataplaneMode mode, @Nullable Mirror mirror) {
    return MirrorDecision.of(mode, true, false, false, mirror);
  }

  @Test
  void aLabelledNamespaceGetsOne() {
    assertThat(decide(DataplaneMode.AMBIENT, null)).isEqualTo(new MirrorDecision.Apply(Stage.L4));
    assertThat(decide(DataplaneMode.AMBIENT, mirror(Stage.L4, Stage.L4, Phase.DONE)))
        .isEqualTo(new MirrorDecision.Leave());
  }

  @Test
  void anUnlabelledNamespaceGetsNone() {
    assertThat(decide(DataplaneMode.ABSENT, null)).isEqualTo(new MirrorDecision.Leave());
    assertThat(decide(DataplaneMode.NONE, null)).isEqualTo(new MirrorDecision.Leave());
  }

  @Test
  void anUnknownModeIsShownAsOutside() {
    assertThat(decide(DataplaneMode.UNKNOWN, null)).isEqualTo(new MirrorDecision.Apply(Stage.NONE));
  }

  @Test
  void itStaysUntilThePodsHaveLeft() {
    assertThat(decide(DataplaneMode.ABSENT, mirror(Stage.L4, Stage.L4, Phase.DONE)))
        .isEqualTo(new MirrorDecision.Apply(Stage.NONE));
    assertThat(decide(DataplaneMode.ABSENT, mirror(Stage.NONE, Stage.L4, Phase.LEAVING)))
        .isEqualTo(new MirrorDecision.Leave());
    assertThat(decide(DataplaneMode.ABSENT, mirror(Stage.NONE, Stage.NONE, Phase.DONE)))
        .isEqualTo(new MirrorDecision.Delete());
  }

  @Test
  void aStatusOfAnEarlierSpecIsNotBelieved() {
    var stale = new Mirror(Stage.NONE, 3L, status(Stage.NONE, Phase.DONE));
    assertThat(decide(DataplaneMode.ABSENT, stale)).isEqualTo(new MirrorDecision.Leave());
  }

  @Test
  void aUsersEnrollmentTakesItsPlace() {
    assertThat(
            MirrorDecision.of(
                DataplaneMode.AMBIENT, true, true, false, mirror(Stage.L4, Stage.L4, Phase.DONE)))
        .isEqualTo(new MirrorDecision.Delete());
    assertThat(MirrorDecision.of(DataplaneMode.AMBIENT, true, true, false, null))
        .isEqualTo(new MirrorDecision.Leave());
  }

  @Test
  void aTerminatingNamespaceIsLeftAlone() {
    assertThat(MirrorDecision.of(DataplaneMode.AMBIENT, true, false, true, null))
        .isEqualTo(new MirrorDecision.Leave());
  }

  @Test
  void withoutAMeshThereIsNoneAndOneThatWasIsTakenAway() {
    assertThat(MirrorDecision.of(DataplaneMode.AMBIENT, false, false, false, null))
        .isEqualTo(new MirrorDecision.Leave());
    assertThat(
            MirrorDecision.of(
                DataplaneMode.AMBIENT, false, false, false, mirror(Stage.L4, Stage.L4, Phase.DONE)))
        .isEqualTo(new MirrorDecision.Delete());
  }
}
