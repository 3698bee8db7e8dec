package dev.ambit.capture;

import io.fabric8.kubernetes.api.model.Pod;
import java.util.Map;

/** What the capture decision needs to know of a pod. */
public record PodFacts(
    String name,
    Map<String, String> labels,
    Map<String, String> annotations,
    boolean hostNetwork,
    boolean completed) {

  public PodFacts {
    labels = Map.copyOf(labels);
    annotations = Map.copyOf(annotations);
  }

  /** The facts of a pod as the API server shows it. */
  public static PodFacts of(Pod pod) {
    Map<String, String> labels = pod.getMetadata().getLabels();
    Map<String, String> annotations = pod.getMetadata().getAnnotations();
    String phase = pod.getStatus() == null ? null : pod.getStatus().getPhase();
    return new PodFacts(
        pod.getMetadata().getName(),
        labels == null ? Map.of() : labels,
        annotations == null ? Map.of() : annotations,
        pod.getSpec() != null && Boolean.TRUE.equals(pod.getSpec().getHostNetwork()),
        "Succeeded".equals(phase) || "Failed".equals(phase));
  }
}
