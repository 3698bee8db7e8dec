package dev.ambit.operator.mesh.model;

import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.DaemonSetStatus;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * How far a node component is on the nodes.
 *
 * @param nodes how many nodes it should run on
 * @param ready on how many it is ready
 * @param upToDate on how many it runs what is asked for
 */
public record ComponentState(int nodes, int ready, int upToDate) {
  /** Not installed, or not looked at by the DaemonSet controller yet. */
  public static final ComponentState UNKNOWN = new ComponentState(0, 0, 0);

  /** The state that a DaemonSet's status tells. */
  public static ComponentState of(@Nullable DaemonSet daemonSet) {
    DaemonSetStatus status = daemonSet == null ? null : daemonSet.getStatus();
    if (daemonSet == null || status == null || status.getObservedGeneration() == null) {
      return UNKNOWN;
    }
    boolean current =
        Objects.equals(status.getObservedGeneration(), daemonSet.getMetadata().getGeneration());
    return new ComponentState(
        count(status.getDesiredNumberScheduled()),
        count(status.getNumberReady()),
        current ? count(status.getUpdatedNumberScheduled()) : 0);
  }

  private static int count(@Nullable Integer value) {
    return value == null ? 0 : value;
  }
}
