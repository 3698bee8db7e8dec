package dev.ambit.operator.enrollment.model;

import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.Pod;

/**
 * A pod as far as its enrollment goes: what is to happen with it, and what has happened.
 *
 * @param redirection what the pod's node agent has reported
 * @param proof what a handshake with it has shown
 * @param started whether the pod's network is up, so that it could have been captured
 * @param terminating whether the pod is on its way out
 */
public record PodObservation(
    String name,
    CaptureDecision decision,
    Redirection redirection,
    Proof proof,
    boolean completed,
    boolean started,
    boolean terminating) {

  /** Observes a pod as the API server shows it. */
  public static PodObservation of(Pod pod, NamespaceFacts namespace, Proof proof) {
    PodFacts facts = PodFacts.of(pod);
    String ip = pod.getStatus() == null ? null : pod.getStatus().getPodIP();
    return new PodObservation(
        pod.getMetadata().getName(),
        CaptureDecision.of(facts, namespace),
        Redirection.of(facts.annotations()),
        proof,
        facts.completed(),
        ip != null && !ip.isEmpty(),
        pod.getMetadata().getDeletionTimestamp() != null);
  }

  boolean draining() {
    return redirection == Redirection.DRAINING;
  }
}
