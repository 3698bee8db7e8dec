package dev.ambit.operator.model;

import dev.ambit.capture.ControlPlaneRevision;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Map;

/** Which control plane a policy or an entry is meant for, where several share a cluster. */
public final class Revision {
  private Revision() {}

  /** Whether the object is meant for this control plane; without the label it is for every one. */
  public static boolean isOurs(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    return labels == null || ControlPlaneRevision.isOurs(labels);
  }
}
