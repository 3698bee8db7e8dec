package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.PodCounts;
import dev.ambit.api.Stage;
import dev.ambit.api.Transition;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.ControlPlaneRevision;
import dev.ambit.capture.DataplaneMode;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What the status says in every situation that a namespace can be in. */
class AssessmentTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");

  private static Pod pod(String name, @Nullable String redirection) {
    var pod =
        new PodBuilder()
            .withNewMetadata()
            .withNamespace("shop")
            .withName(name)
            .withUid(name)
            .endMetadata()
            .withNewSpec()
            .endSpec()
            .withNewStatus()
            .withPhase("Running")
            .withPodIP("10.0.0.1")
            .endStatus()
            .build();
    if (redirection != null) {
      pod.getMetadata().setAnnotations(Map.of(WellKnown.REDIRECTION, redirection));
    }
    return pod;
  }

  /** A namespace as it is set up in a test. */
  private static final class Shop {
    private final List<Pod> pods = new ArrayList<>();
    private @Nullable String label;
    private @Nullable Stage user;
    private @Nullable String supersededBy;
    private boolean taken;
    private boolean excluded;
    private Map<String, Proof> unproven = Map.of();
    private boolean mesh = true;
    private @Nullable String revision;
    private MeshEnrollmentStatus status = MeshEnrollmentStatus.NOTHING_YET;

    Shop labelled(@Nullable String value) {
      label = value;
      return this;
    }

    Shop user(Stage stage) {
      user = stage;
      return this;
    }

    Shop supersededBy(String name) {
      supersededBy = name;
      return this;
    }

    /** What is released of the one that counts holds now. */
    Shop taken() {
      taken = true;
      return this;
    }

    Shop excluded() {
      excluded = true;
      return this;
    }

    Shop ofRevision(String name) {
      revision = name;
      return this;
    }

    Shop unproven(String pod, Proof proof) {
      unproven = Map.of(pod, proof);
      return this;
    }

    Shop proven() {
      unproven = Map.of();
      return this;
    }

    Shop withoutMesh() {
      mesh = false;
      return this;
    }

    Shop pods(Pod... now) {
      pods.clear();
      pods.addAll(List.of(now));
      return this;
    }

    /** Every pod is proven but those that a test says are not. */
    private Map<String, Proof> proofs() {
      return pods.stream()
          .map(pod -> pod.getMetadata().getUid())
          .collect(
              Collectors.toMap(
                  uid -> uid, uid -> unproven.getOrDefault(uid, Proof.HOLDS), (a, b) -> a));
    }

    EnrollmentObservation observe(Instant now) {
      Map<String, String> labels = new HashMap<>();
      if (label != null) {
        labels.put(WellKnown.DATAPLANE_MODE, label);
      }
      if (revision != null) {
        labels.put(ControlPlaneRevision.LABEL, revision);
      }
      DataplaneMode mode = DataplaneMode.of(labels);
      EnrollmentSource source =
          supersededBy != null
              ? new EnrollmentSource.Superseded(supersededBy, taken)
              : user != null
                  ? new EnrollmentSource.User(MeshEnrollmentSpec.of(user))
                  : new EnrollmentSource.Labels();
      return new EnrollmentObservation(
          source,
          1,
          status,
          mode,
          label == null ? "" : label,
          EnrollmentObservation.cutOf(mode),
          excluded,
          mesh,
          600,
          new EnrolledPods("shop", labels, excluded ? Set.of("shop") : Set.of(), pods, proofs()),
          WaypointState.NONE,
          List.of(),
          Traffic.NONE,
          MtlsObservation.NONE,
          "ambit-system",
          Optional.of(List.of()),
          Optional.of(Instant.EPOCH),
          now);
    }

    MeshEnrollmentStatus look() {
      return look(NOW);
    }

    MeshEnrollmentStatus look(Instant now) {
      var observed = observe(now);
      status = StatusReport.of(observed, Assessment.of(observed), null);
      return status;
    }
  }

  private static String reason(MeshEnrollmentStatus status, String type) {
    return Conditions.find(status.conditions(), type).orElseThrow().getReason();
  }

  @Test
  void aNewlyLabelledNamespaceIsCapturingUntilEveryPodIsCaptured() {
    var shop = new Shop().labelled("ambient").pods(pod("a", "enabled"), pod("b", null));
    var status = shop.look();
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.phase()).isEqualTo(Phase.CAPTURING);
    assertThat(status.pods()).isEqualTo(new PodCounts(2, 1, 1, 0, 0));
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isFalse();
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isTrue();
    assertThat(Conditions.find(status.conditions(), Conditions.READY).orElseThrow().getMessage())
        .contains("1 of 2 pods", "b");

    status = shop.pods(pod("a", "enabled"), pod("b", "enabled")).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isTrue();
    assertThat(Conditions.holds(status.conditions(), Conditions.CAPTURED)).isTrue();
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isFalse();
    assertThat(status.history())
        .extracting(Transition::stage, Transition::phase)
        .containsExactly(tuple(Stage.L4, Phase.DONE), tuple(Stage.NONE, Phase.CAPTURING));
  }

  @Test
  void anAnnotationAloneProvesNothing() {
    var shop =
        new Shop()
            .labelled("ambient")
            .pods(pod("a", "enabled"), pod("b", "enabled"))
            .unproven("b", Proof.UNTRIED);
    var status = shop.look();
    assertThat(status.phase()).isEqualTo(Phase.PROVING);
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.pods()).isEqualTo(new PodCounts(2, 2, 1, 0, 0));
    assertThat(Conditions.holds(status.conditions(), Conditions.CAPTURED)).isTrue();
    assertThat(Conditions.holds(status.conditions(), Conditions.PROVEN)).isFalse();
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isFalse();
    assertThat(Conditions.find(status.conditions(), Conditions.READY).orElseThrow().getMessage())
        .contains("1 of 2 captured pods", "b (no handshake has been tried yet)");

    status = shop.proven().look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(Conditions.holds(status.conditions(), Conditions.PROVEN)).isTrue();
    assertThat(reason(status, Conditions.PROVEN)).isEqualTo("HandshakesSucceed");
  }

  @Test
  void aPodThatFallsOutOfTheMeshIsToldThoughItsAnnotationStays() {
    var shop = new Shop().labelled("ambient").pods(pod("a", "enabled"), pod("b", "enabled"));
    var before = shop.look();
    var status = shop.unproven("a", Proof.failed("port 15008 does not answer within 5 s")).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.PROVING);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isFalse();
    assertThat(Conditions.find(status.conditions(), Conditions.PROVEN).orElseThrow().getMessage())
        .isEqualTo("a (port 15008 does not answer within 5 s).");
    assertThat(status.history()).isEqualTo(before.history());
    assertThat(shop.proven().look().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void withoutCapturedPodsThereIsNothingToProve() {
    var status = new Shop().labelled("ambient").look();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.PROVEN)).isFalse();
    assertThat(reason(status, Conditions.PROVEN)).isEqualTo("NoPodCaptured");
  }

  @Test
  void aPodThatIsPendingIsNotCapturedYet() {
    var status = new Shop().labelled("ambient").pods(pod("a", "pending")).look();
    assertThat(status.phase()).isEqualTo(Phase.CAPTURING);
    assertThat(status.pods()).isEqualTo(new PodCounts(1, 0, 0, 0, 0));
  }

  @Test
  void aPodWithoutNetworkIsNotWaitedFor() {
    var scheduled = pod("a", null);
    scheduled.getStatus().setPodIP(null);
    var status = new Shop().labelled("ambient").pods(scheduled).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void anEmptyNamespaceIsDoneAtOnce() {
    assertThat(new Shop().labelled("ambient").look().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void aNewPodDoesNotTakeTheNamespaceBackNorFillItsHistory() {
    var shop = new Shop().labelled("ambient").pods(pod("a", "enabled"));
    var before = shop.look();
    var status = shop.pods(pod("a", "enabled"), pod("b", null)).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.CAPTURING);
    assertThat(status.history()).isEqualTo(before.history());
    status = shop.pods(pod("a", "enabled"), pod("b", "enabled")).look();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(status.history()).isEqualTo(before.history());
  }

  @Test
  void excludedPodsAreNamedWithTheirReason() {
    var host = pod("host", null);
    host.getSpec().setHostNetwork(true);
    var out = pod("out", null);
    out.getMetadata().setLabels(Map.of(WellKnown.DATAPLANE_MODE, "none"));
    var sidecar = pod("sidecar", null);
    sidecar.getMetadata().setAnnotations(Map.of(WellKnown.SIDECAR_STATUS, "{}"));
    var typo = pod("typo", null);
    typo.getMetadata().setLabels(Map.of(WellKnown.DATAPLANE_MODE, "ambeint"));
    var job = pod("job", null);
    job.getStatus().setPhase("Succeeded");
    var status =
        new Shop()
            .labelled("ambient")
            .pods(typo, sidecar, out, host, job, pod("a", "enabled"))
            .look();
    assertThat(status.pods()).isEqualTo(new PodCounts(5, 1, 1, 0, 4));
    assertThat(status.excluded())
        .extracting(excluded -> excluded.pod() + "=" + excluded.reason())
        .containsExactly(
            "host=HostNetwork",
            "out=OptedOut",
            "sidecar=SidecarInjected",
            "typo=UnknownDataplaneMode");
    assertThat(status.phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void atMostFiftyExcludedPodsAreNamed() {
    var pods =
        IntStream.range(0, 60)
            .mapToObj(
                i -> {
                  var pod = pod("pod-" + i, null);
                  pod.getSpec().setHostNetwork(true);
                  return pod;
                })
            .toArray(Pod[]::new);
    var status = new Shop().labelled("ambient").pods(pods).look();
    assertThat(status.excluded()).hasSize(50);
    assertThat(status.pods()).isEqualTo(new PodCounts(60, 0, 0, 0, 60));
  }

  @Test
  void anUnlabelledNamespaceIsLeavingUntilNoPodIsCaptured() {
    var shop = new Shop().labelled("ambient").pods(pod("a", "enabled"));
    shop.look();
    var status = shop.labelled(null).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.LEAVING);
    assertThat(Conditions.holds(status.conditions(), Conditions.RECONCILING)).isTrue();
    status = shop.pods(pod("a", "pending")).look();
    assertThat(status.phase()).isEqualTo(Phase.LEAVING);
    status = shop.pods(pod("a", null)).look();
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isTrue();
    assertThat(Conditions.holds(status.conditions(), Conditions.CAPTURED)).isFalse();
    assertThat(status.history())
        .extracting(Transition::phase)
        .startsWith(Phase.DONE, Phase.LEAVING);
  }

  private static Pod draining(String name) {
    var pod = pod(name, null);
    pod.getMetadata().setAnnotations(Map.of(WellKnown.DRAINING, WellKnown.DRAINING_VALUE));
    return pod;
  }

  @Test
  void aPodThatIsDrainingHasNotLeftYet() {
    var shop = new Shop().labelled("ambient").pods(pod("a", "enabled"), pod("b", "enabled"));
    shop.look();
    var status = shop.labelled(null).pods(draining("a"), pod("b", null)).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.LEAVING);
    assertThat(status.pods()).isEqualTo(new PodCounts(2, 0, 0, 0, 0));
    assertThat(Conditions.find(status.conditions(), Conditions.READY).orElseThrow().getMessage())
        .contains("1 pods are leaving the mesh: a.", "1 of them", "at most 600 s");
    status = shop.pods(pod("a", null), pod("b", null)).look();
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void aUsersEnrollmentAtStageNoneWaitsForDrainingPodsToo() {
    var shop = new Shop().user(Stage.L4).pods(pod("a", "enabled"));
    shop.look();
    var status = shop.user(Stage.NONE).pods(draining("a")).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.LEAVING);
    assertThat(shop.pods(pod("a", null)).look().phase()).isEqualTo(Phase.DONE);
  }

  @Test
  void aDrainingPodThatIsAskedBackIsWaitedFor() {
    var status = new Shop().labelled("ambient").pods(draining("a")).look();
    assertThat(status.phase()).isEqualTo(Phase.CAPTURING);
  }

  @Test
  void aPodThatAsksForItselfDoesNotKeepItsNamespaceFromLeaving() {
    var own = pod("own", "enabled");
    own.getMetadata().setLabels(Map.of(WellKnown.DATAPLANE_MODE, "ambient"));
    var status = new Shop().pods(own).look();
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(status.pods()).isEqualTo(new PodCounts(1, 1, 1, 0, 0));
  }

  @Test
  void anOptedOutPodThatIsStillCapturedIsLeaving() {
    var out = pod("out", "enabled");
    out.getMetadata().setLabels(Map.of(WellKnown.DATAPLANE_MODE, "none"));
    var status = new Shop().labelled("ambient").pods(out, pod("a", "enabled")).look();
    assertThat(status.stage()).isEqualTo(Stage.L4);
    assertThat(status.phase()).isEqualTo(Phase.LEAVING);
  }

  @Test
  void anUnknownModeIsStalledAndSaysWhatToDo() {
    var status = new Shop().labelled("ambeint").pods(pod("a", null)).look();
    assertThat(status.stage()).isEqualTo(Stage.NONE);
    assertThat(status.phase()).isEqualTo(Phase.STALLED);
    assertThat(Conditions.holds(status.conditions(), Conditions.STALLED)).isTrue();
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("UnknownDataplaneMode");
    assertThat(Conditions.find(status.conditions(), Conditions.STALLED).orElseThrow().getMessage())
        .contains("istio.io/dataplane-mode=ambeint", "Set it to ambient or none");
    assertThat(status.excluded()).hasSize(1);
  }

  @Test
  void anExcludedNamespaceIsStalledWithItsPodsNamed() {
    var status = new Shop().labelled("ambient").excluded().pods(pod("a", null)).look();
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("ExcludedNamespace");
    assertThat(status.excluded())
        .extracting(excluded -> excluded.reason())
        .containsExactly("ExcludedNamespace");
  }

  @Test
  void aNamespaceOfAnotherControlPlaneIsStalledWithItsRevisionNamed() {
    var status = new Shop().user(Stage.L4).ofRevision("istio-1-30").pods(pod("a", null)).look();
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("OtherRevision");
    assertThat(Conditions.find(status.conditions(), Conditions.STALLED).orElseThrow().getMessage())
        .contains("istio.io/rev=istio-1-30");
    assertThat(new Shop().user(Stage.L4).ofRevision("default").pods(pod("a", null)).look().phase())
        .isEqualTo(Phase.CAPTURING);
  }

  @Test
  void withoutAMeshNothingIsWaitedFor() {
    var status = new Shop().labelled("ambient").withoutMesh().pods(pod("a", null)).look();
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("NoAmbientMesh");
  }

  @Test
  void aMeshThatComesAgainTakesNoPodUnchecked() {
    var shop = new Shop().user(Stage.L4).pods(pod("a", "enabled"));
    assertThat(shop.look().inForce()).isNotNull();
    assertThat(shop.withoutMesh().look().inForce())
        .as("while pods are captured, what holds is what did")
        .isNotNull();
    assertThat(shop.pods(pod("a", null)).look().inForce()).isNull();
  }

  @Test
  void aSupersededEnrollmentHoldsWhatItHasReleasedUntilTheOtherHasTakenItOver() {
    var shop = new Shop().user(Stage.L4).pods(pod("a", "enabled"));
    var released = shop.look().inForce();
    assertThat(shop.supersededBy("default").look().inForce()).isEqualTo(released);
    assertThat(shop.taken().look().inForce()).isNull();
  }

  @Test
  void aSupersededEnrollmentSaysByWhichAndCountsNothing() {
    var status = new Shop().user(Stage.L4).supersededBy("default").pods(pod("a", null)).look();
    assertThat(reason(status, Conditions.STALLED)).isEqualTo("Superseded");
    assertThat(Conditions.find(status.conditions(), Conditions.STALLED).orElseThrow().getMessage())
        .contains("default");
    assertThat(status.stage()).isNull();
    assertThat(status.pods()).isNull();
  }

  @Test
  void aLabelThatContradictsTheUsersEnrollmentIsACondition() {
    var shop = new Shop().user(Stage.NONE).labelled("ambient").pods(pod("a", null));
    var status = shop.look();
    assertThat(status.phase()).isEqualTo(Phase.DONE);
    assertThat(Conditions.holds(status.conditions(), LabelContradiction.CONDITION)).isTrue();
    status = shop.labelled("none").look();
    assertThat(Conditions.find(status.conditions(), LabelContradiction.CONDITION)).isEmpty();
    assertThat(
            Conditions.holds(
                new Shop().user(Stage.L4).labelled("none").look().conditions(),
                LabelContradiction.CONDITION))
        .isTrue();
    assertThat(
            Conditions.find(
                new Shop().user(Stage.L4).look().conditions(), LabelContradiction.CONDITION))
        .isEmpty();
  }

  @Test
  void lookingAgainChangesNothing() {
    var shop =
        new Shop().labelled("ambient").pods(pod("a", "enabled"), pod("b", null), pod("c", null));
    var first = shop.look();
    assertThat(shop.look(NOW.plusSeconds(60))).isEqualTo(first);
  }

  @Test
  void historyKeepsTheLastTen() {
    var shop = new Shop().pods(pod("a", null));
    for (int i = 0; i < 12; i++) {
      shop.labelled(i % 2 == 0 ? "ambient" : null).look(NOW.plusSeconds(i));
    }
    assertThat(shop.look().history()).hasSize(10);
    assertThat(shop.look().history().getFirst().time()).isEqualTo("2026-11-22T12:00:11Z");
  }
}
