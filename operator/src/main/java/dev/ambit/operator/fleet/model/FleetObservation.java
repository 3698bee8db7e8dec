package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollmentSpec;
import dev.ambit.api.ClusterMeshEnrollmentStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;

/**
 * All that is known of a fleet.
 *
 * @param generation of the object's spec
 * @param before the object's status as it is
 * @param deleting whether it is being deleted
 * @param meshInstalled whether there is an AmbientMesh that is not being deleted
 * @param patience how long a namespace that is leaving may stay where it is before its
 *     MeshEnrollment is deleted nevertheless
 * @param namespaces by name; none that is being deleted
 */
public record FleetObservation(
    ClusterMeshEnrollmentSpec spec,
    long generation,
    ClusterMeshEnrollmentStatus before,
    boolean deleting,
    boolean meshInstalled,
    Duration patience,
    List<FleetNamespace> namespaces,
    Instant now) {

  public FleetObservation {
    namespaces = namespaces.stream().sorted(Comparator.comparing(FleetNamespace::name)).toList();
  }
}
