package dev.ambit.operator.fleet.model;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A namespace that a fleet selects or has a MeshEnrollment in.
 *
 * @param child the MeshEnrollment that a fleet has made there; null for none
 */
public record FleetNamespace(
    String name, Map<String, String> labels, Standing standing, @Nullable FleetChild child) {

  public FleetNamespace {
    labels = Map.copyOf(labels);
  }

  boolean isSelected() {
    return !(standing instanceof Standing.Deselected);
  }

  /** Whether there is a MeshEnrollment that this fleet answers for. */
  public boolean hasChild() {
    return child != null && child.mine();
  }
}
