package dev.ambit.capture;

import java.util.Map;

/**
 * Which control plane something is meant for, where several share a cluster: the label {@code
 * istio.io/rev}, as Istio reads it.
 */
public final class ControlPlaneRevision {
  public static final String LABEL = "istio.io/rev";

  /** Ambit's own. */
  private static final String OWN = "default";

  private ControlPlaneRevision() {}

  /** Whether what has these labels is meant for this control plane; without it, for every one. */
  public static boolean isOurs(Map<String, String> labels) {
    String revision = labels.get(LABEL);
    return revision == null || revision.isEmpty() || revision.equals(OWN);
  }

  /** Whether a pod is meant for this control plane: its own label wins over its namespace's. */
  static boolean isOurs(PodFacts pod, NamespaceFacts namespace) {
    return isOurs(pod.labels().containsKey(LABEL) ? pod.labels() : namespace.labels());
  }
}
