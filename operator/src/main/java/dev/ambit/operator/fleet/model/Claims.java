package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.NamespaceSelector;
import java.util.Collection;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;

/** Which of several fleets a namespace belongs to. */
public final class Claims {
  private static final Comparator<ClusterMeshEnrollment> PRECEDENCE =
      Comparator.comparing(
              (ClusterMeshEnrollment fleet) -> fleet.getMetadata().getCreationTimestamp(),
              Comparator.nullsLast(Comparator.naturalOrder()))
          .thenComparing(fleet -> fleet.getMetadata().getName());

  private Claims() {}

  /**
   * The name of the oldest fleet that selects a namespace with these labels; of several that are as
   * old, the first by name. One that is being deleted does not count.
   */
  public static Optional<String> winner(
      Collection<ClusterMeshEnrollment> fleets, Map<String, String> labels) {
    return fleets.stream()
        .filter(fleet -> fleet.getMetadata().getDeletionTimestamp() == null)
        .filter(fleet -> selects(fleet, labels))
        .min(PRECEDENCE)
        .map(fleet -> fleet.getMetadata().getName());
  }

  /** Whether a fleet's selector selects a namespace with these labels. */
  public static boolean selects(ClusterMeshEnrollment fleet, Map<String, String> labels) {
    NamespaceSelector selector = fleet.effectiveSpec().namespaces();
    return selector != null && selector.selects(labels);
  }
}
