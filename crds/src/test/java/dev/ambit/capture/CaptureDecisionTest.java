package dev.ambit.capture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.WellKnown;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class CaptureDecisionTest {
  private static final String POD = "pod-1";
  private static final Set<String> EXCLUDED = Set.of("kube-system", "ambit-system");

  /** One situation, as a person would write it on a card. */
  record Situation(
      String namespace,
      @Nullable String namespaceMode,
      @Nullable Integer cut,
      @Nullable String podMode,
      boolean hostNetwork,
      boolean sidecar,
      boolean completed,
      @Nullable String namespaceRevision,
      @Nullable String podRevision) {

    Situation(
        String namespace,
        @Nullable String namespaceMode,
        @Nullable Integer cut,
        @Nullable String podMode,
        boolean hostNetwork,
        boolean sidecar,
        boolean completed) {
      this(namespace, namespaceMode, cut, podMode, hostNetwork, sidecar, completed, null, null);
    }

    Situation of(@Nullable String namespaceRevision, @Nullable String podRevision) {
      return new Situation(
          namespace,
          namespaceMode,
          cut,
          podMode,
          hostNetwork,
          sidecar,
          completed,
          namespaceRevision,
          podRevision);
    }

    boolean ofAnotherRevision() {
      String revision = podRevision == null ? namespaceRevision : podRevision;
      return revision != null && !revision.equals("default");
    }

    CaptureDecision decision() {
      Map<String, String> podLabels = new HashMap<>(Map.of("app", "a"));
      if (podMode != null) {
        podLabels.put(WellKnown.DATAPLANE_MODE, podMode);
      }
      Map<String, String> namespaceLabels = new HashMap<>();
      if (namespaceMode != null) {
        namespaceLabels.put(WellKnown.DATAPLANE_MODE, namespaceMode);
      }
      if (podRevision != null) {
        podLabels.put(ControlPlaneRevision.LABEL, podRevision);
      }
      if (namespaceRevision != null) {
        namespaceLabels.put(ControlPlaneRevision.LABEL, namespaceRevision);
      }
      return CaptureDecision.of(
          new PodFacts(
              POD,
              podLabels,
              sidecar ? Map.of(WellKnown.SIDECAR_STATUS, "{}") : Map.of(),
              hostNetwork,
              completed),
          new NamespaceFacts(namespace, namespaceLabels, EXCLUDED, cut));
    }
  }

  /** A rule of the reference model: the first whose test holds decides. */
  private record Rule(java.util.function.Predicate<Situation> test, CaptureDecision decision) {}

  private static boolean unknown(@Nullable String mode) {
    return mode != null && !mode.equals("ambient") && !mode.equals("none");
  }

  private static boolean inheritsL4(Situation s) {
    return s.cut() == null
        ? "ambient".equals(s.namespaceMode())
        : s.cut() > PodNumber.of(s.namespace(), POD);
  }

  private static boolean isHeld(Situation s) {
    return s.cut() != null && s.cut() > 0 && s.cut() <= PodNumber.of(s.namespace(), POD);
  }

  private static boolean inheritsUnknown(Situation s) {
    return s.cut() == null && unknown(s.namespaceMode());
  }

  private static boolean reached(Situation s) {
    return "ambient".equals(s.podMode())
        || unknown(s.podMode())
        || inheritsL4(s)
        || isHeld(s)
        || inheritsUnknown(s);
  }

  private static CaptureDecision excluded(ExclusionReason reason) {
    return new CaptureDecision.Excluded(reason);
  }

  private static final List<Rule> REFERENCE =
      List.of(
          new Rule(s -> !reached(s), CaptureDecision.NOT_ENROLLED),
          new Rule(
              s -> EXCLUDED.contains(s.namespace()), excluded(ExclusionReason.EXCLUDED_NAMESPACE)),
          new Rule(Situation::ofAnotherRevision, excluded(ExclusionReason.OTHER_REVISION)),
          new Rule(Situation::completed, excluded(ExclusionReason.COMPLETED)),
          new Rule(Situation::hostNetwork, excluded(ExclusionReason.HOST_NETWORK)),
          new Rule(Situation::sidecar, excluded(ExclusionReason.SIDECAR_INJECTED)),
          new Rule(s -> "ambient".equals(s.podMode()), CaptureDecision.CAPTURED),
          new Rule(s -> unknown(s.podMode()), excluded(ExclusionReason.UNKNOWN_DATAPLANE_MODE)),
          new Rule(s -> "none".equals(s.podMode()), excluded(ExclusionReason.OPTED_OUT)),
          new Rule(
              CaptureDecisionTest::inheritsUnknown,
              excluded(ExclusionReason.UNKNOWN_DATAPLANE_MODE)),
          new Rule(CaptureDecisionTest::inheritsL4, CaptureDecision.CAPTURED),
          new Rule(CaptureDecisionTest::isHeld, CaptureDecision.HELD));

  @Property
  void decidesAsTheReferenceModelDoes(@ForAll("situations") Situation situation) {
    CaptureDecision expected =
        REFERENCE.stream()
            .filter(rule -> rule.test().test(situation))
            .findFirst()
            .orElseThrow()
            .decision();
    assertThat(situation.decision()).isEqualTo(expected);
  }

  @Provide
  Arbitrary<Situation> situations() {
    Arbitrary<String> modes =
        Arbitraries.of("ambient", "none", "ambeint", "sidecar").injectNull(0.4);
    return Combinators.combine(
            Arbitraries.of("shop", "kube-system", "ambit-system"),
            modes,
            Arbitraries.of(0, 1, 250_000, 500_000, 750_000, PodNumber.ALL).injectNull(0.4),
            modes,
            Arbitraries.of(true, false),
            Arbitraries.of(true, false),
            Arbitraries.of(true, false))
        .as(
            (namespace, mode, cut, podMode, hostNetwork, sidecar, completed) ->
                new Situation(namespace, mode, cut, podMode, hostNetwork, sidecar, completed))
        .flatMap(
            situation ->
                Combinators.combine(
                        Arbitraries.of("default", "canary").injectNull(0.5),
                        Arbitraries.of("default", "canary").injectNull(0.5))
                    .as(situation::of));
  }

  @Test
  void aLabelledNamespaceCapturesItsPods() {
    assertThat(new Situation("shop", "ambient", null, null, false, false, false).decision())
        .isEqualTo(CaptureDecision.CAPTURED);
  }

  @Test
  void anUnknownModeOnTheNamespaceCapturesNothing() {
    assertThat(new Situation("shop", "ambeint", null, null, false, false, false).decision())
        .isEqualTo(excluded(ExclusionReason.UNKNOWN_DATAPLANE_MODE));
  }

  @Test
  void theUsersEnrollmentWinsOverTheNamespacesLabel() {
    assertThat(new Situation("shop", "ambient", 0, null, false, false, false).decision())
        .isEqualTo(CaptureDecision.NOT_ENROLLED);
    assertThat(new Situation("shop", "none", PodNumber.ALL, null, false, false, false).decision())
        .isEqualTo(CaptureDecision.CAPTURED);
  }

  @Test
  void anExcludedNamespaceBeatsThePodsOwnLabel() {
    assertThat(
            new Situation("kube-system", null, PodNumber.ALL, "ambient", false, false, false)
                .decision())
        .isEqualTo(excluded(ExclusionReason.EXCLUDED_NAMESPACE));
  }

  @Test
  void aNamespaceOfAnotherControlPlaneIsLeftAloneButForPodsThatSayOtherwise() {
    var labelled = new Situation("shop", "ambient", null, null, false, false, false);
    assertThat(labelled.of("istio-1-30", null).decision())
        .isEqualTo(excluded(ExclusionReason.OTHER_REVISION));
    assertThat(labelled.of("istio-1-30", "default").decision()).isEqualTo(CaptureDecision.CAPTURED);
    assertThat(labelled.of("default", null).decision()).isEqualTo(CaptureDecision.CAPTURED);
  }
}
