package dev.ambit.capture;

import dev.ambit.api.WellKnown;
import java.util.Map;

/**
 * Whether a pod's traffic is to be captured.
 *
 * <p>The pod's own label wins over a user's MeshEnrollment, which wins over the namespace's label.
 * An excluded namespace, another control plane's revision, the node's network and a sidecar beat
 * all of them, as in Istio. A label whose value is neither {@code ambient} nor {@code none}
 * captures nothing.
 */
public sealed interface CaptureDecision {
  /** The pod is to be captured. */
  record Captured() implements CaptureDecision {}

  /** An enrollment reaches the pod, and the pod is left out. */
  record Excluded(ExclusionReason reason) implements CaptureDecision {}

  /** An enrollment will reach the pod, once its step of the rollout has come. */
  record Held() implements CaptureDecision {}

  /** Nothing asks for the pod to be captured. */
  record NotEnrolled() implements CaptureDecision {}

  CaptureDecision CAPTURED = new Captured();
  CaptureDecision HELD = new Held();
  CaptureDecision NOT_ENROLLED = new NotEnrolled();

  /** Decides for a pod of a namespace. */
  static CaptureDecision of(PodFacts pod, NamespaceFacts namespace) {
    CaptureDecision asked = asked(pod, namespace);
    return switch (asked) {
      case NotEnrolled notEnrolled -> notEnrolled;
      case Held held -> unlessImpossible(held, pod, namespace);
      case Captured captured -> unlessImpossible(captured, pod, namespace);
      case Excluded excluded -> unlessImpossible(excluded, pod, namespace);
    };
  }

  /** Whether a namespace captures every pod that does not speak for itself, whatever its name. */
  static boolean capturesAll(NamespaceFacts namespace) {
    boolean released = namespace.cut() == null || namespace.cut() >= PodNumber.ALL;
    PodFacts plain = new PodFacts("", Map.of(), Map.of(), false, false);
    return released && of(plain, namespace) instanceof Captured;
  }

  private static CaptureDecision asked(PodFacts pod, NamespaceFacts namespace) {
    CaptureDecision inherited = inherited(pod, namespace);
    return switch (DataplaneMode.of(pod.labels())) {
      case ABSENT -> inherited;
      case AMBIENT -> CAPTURED;
      case NONE ->
          inherited instanceof NotEnrolled ? NOT_ENROLLED : new Excluded(ExclusionReason.OPTED_OUT);
      case UNKNOWN -> new Excluded(ExclusionReason.UNKNOWN_DATAPLANE_MODE);
    };
  }

  private static CaptureDecision inherited(PodFacts pod, NamespaceFacts namespace) {
    Integer cut = namespace.cut();
    if (cut != null) {
      if (cut == 0) {
        return NOT_ENROLLED;
      }
      return PodNumber.of(namespace.name(), pod.name()) < cut ? CAPTURED : HELD;
    }
    return switch (DataplaneMode.of(namespace.labels())) {
      case ABSENT, NONE -> NOT_ENROLLED;
      case AMBIENT -> CAPTURED;
      case UNKNOWN -> new Excluded(ExclusionReason.UNKNOWN_DATAPLANE_MODE);
    };
  }

  private static CaptureDecision unlessImpossible(
      CaptureDecision asked, PodFacts pod, NamespaceFacts namespace) {
    if (namespace.excludedNamespaces().contains(namespace.name())) {
      return new Excluded(ExclusionReason.EXCLUDED_NAMESPACE);
    }
    if (!ControlPlaneRevision.isOurs(pod, namespace)) {
      return new Excluded(ExclusionReason.OTHER_REVISION);
    }
    if (pod.completed()) {
      return new Excluded(ExclusionReason.COMPLETED);
    }
    if (pod.hostNetwork()) {
      return new Excluded(ExclusionReason.HOST_NETWORK);
    }
    if (pod.annotations().containsKey(WellKnown.SIDECAR_STATUS)) {
      return new Excluded(ExclusionReason.SIDECAR_INJECTED);
    }
    return asked;
  }
}
