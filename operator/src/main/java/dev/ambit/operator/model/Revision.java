package dev.ambit.operator.model;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Map;

/**
 * Which control plane an object is meant for, where several share a cluster: the label {@code
 * istio.io/rev}, as Istio reads it.
 */
public final class Revision {
  private static final String LABEL = "istio.io/rev";

  /** Ambit's own. */
  private static final String OWN = "default";

  private Revision() {}

  /** Whether the object is meant for this control plane; without the label it is for every one. */
  public static boolean isOurs(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    String revision = labels == null ? null : labels.get(LABEL);
    return revision == null || revision.isEmpty() || revision.equals(OWN);
  }
}
