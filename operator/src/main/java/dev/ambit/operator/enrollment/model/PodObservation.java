package dev.ambit.operator.enrollment.model;

import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import io.fabric8.kubernetes.api.model.Pod;

/**
 * A pod as far as its enrollment goes: what is to happen with it, and what has happened.
 *
 * @param started whether the pod's network is up, so that it could have been captured
 * @param terminating whether the pod is on its way out
 */
public record PodObservation(
    String name,
    CaptureDecision decision,
    Redirection redirection,
    boolean completed,
    boolean started,
    boolean terminating) {

  /** What the pod's node agent has reported. */
  public enum Redirection {
    ABSENT,
    /** Rules are in, and the ztunnel has not taken the pod yet. */
    PENDING,
    ENABLED
  }

  /** Observes a pod as the API server shows it. */
  public static PodObservation of(Pod pod, NamespaceFacts namespace) {
    PodFacts facts = PodFacts.of(pod);
    String ip = pod.getStatus() == null ? null : pod.getStatus().getPodIP();
    return new PodObservation(
        pod.getMetadata().getName(),
        CaptureDecision.of(facts, namespace),
        redirection(facts.annotations().getOrDefault(WellKnown.REDIRECTION, "")),
        facts.completed(),
        ip != null && !ip.isEmpty(),
        pod.getMetadata().getDeletionTimestamp() != null);
  }

  private static Redirection redirection(String annotation) {
    return switch (annotation) {
      case WellKnown.REDIRECTION_ENABLED -> Redirection.ENABLED;
      case WellKnown.REDIRECTION_PENDING -> Redirection.PENDING;
      default -> Redirection.ABSENT;
    };
  }
}
