package dev.ambit.operator.enrollment.model;

import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.PodNumber;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The pods of a namespace, which can be counted under any cut.
 *
 * @param proofs by the pods' UIDs
 * @param excludedNamespaces what the mesh excludes, Ambit's own included
 */
public record EnrolledPods(
    String namespace,
    Map<String, String> namespaceLabels,
    Set<String> excludedNamespaces,
    List<Pod> pods,
    Map<String, Proof> proofs) {

  public EnrolledPods {
    namespaceLabels = Map.copyOf(namespaceLabels);
    excludedNamespaces = Set.copyOf(excludedNamespaces);
    pods = List.copyOf(pods);
    proofs = Map.copyOf(proofs);
  }

  private NamespaceFacts facts(@Nullable Integer cut) {
    return new NamespaceFacts(namespace, namespaceLabels, excludedNamespaces, cut);
  }

  /**
   * Counts them as they are against what they should be.
   *
   * @param cut what is released; null where the namespace's labels decide
   */
  public PodCensus census(@Nullable Integer cut) {
    NamespaceFacts facts = facts(cut);
    return PodCensus.of(
        pods.stream().map(pod -> PodObservation.of(pod, facts, proof(pod))).toList());
  }

  /** Pods that an enrollment of the whole namespace would capture. */
  public List<Pod> capturable() {
    NamespaceFacts all = facts(PodNumber.ALL);
    return pods.stream()
        .filter(pod -> pod.getMetadata().getDeletionTimestamp() == null)
        .filter(
            pod -> CaptureDecision.of(PodFacts.of(pod), all) instanceof CaptureDecision.Captured)
        .toList();
  }

  /** The numbers of pods whose turn the rollout decides: not of those that ask for themselves. */
  List<Integer> numbers() {
    return capturable().stream()
        .filter(pod -> DataplaneMode.of(PodFacts.of(pod).labels()) != DataplaneMode.AMBIENT)
        .map(pod -> PodNumber.of(namespace, pod.getMetadata().getName()))
        .toList();
  }

  /** The same with what is known of their proofs. */
  public EnrolledPods with(Map<String, Proof> known) {
    return new EnrolledPods(namespace, namespaceLabels, excludedNamespaces, pods, known);
  }

  /** What is known of one of them. */
  public Proof proof(Pod pod) {
    String uid = pod.getMetadata().getUid();
    return uid == null ? Proof.UNTRIED : proofs.getOrDefault(uid, Proof.UNTRIED);
  }

  /** Where they run, or have run for as long as nobody says that they no longer do. */
  public Set<String> nodes() {
    return pods.stream()
        .flatMap(
            pod ->
                pod.getSpec() == null
                    ? Stream.of()
                    : Stream.ofNullable(pod.getSpec().getNodeName()))
        .collect(Collectors.toUnmodifiableSet());
  }

  /** Instances of waypoints, which speak HBONE themselves. */
  public List<Pod> waypoints() {
    return pods.stream()
        .filter(pod -> pod.getMetadata().getDeletionTimestamp() == null)
        .filter(pod -> PodFacts.of(pod).labels().containsKey(EnrollmentGateway.INSTANCE_OF))
        .filter(pod -> !PodFacts.of(pod).completed())
        .toList();
  }

  /** Captured pods that are no instances of waypoints. */
  public List<Pod> workloads() {
    return redirected().stream()
        .filter(pod -> !PodFacts.of(pod).labels().containsKey(EnrollmentGateway.INSTANCE_OF))
        .toList();
  }

  /** Captured pods, as far as annotations say so. */
  public List<Pod> redirected() {
    return pods.stream()
        .filter(pod -> pod.getMetadata().getDeletionTimestamp() == null)
        .filter(pod -> Redirection.of(PodFacts.of(pod).annotations()) == Redirection.ENABLED)
        .filter(pod -> !PodFacts.of(pod).completed())
        .toList();
  }
}
