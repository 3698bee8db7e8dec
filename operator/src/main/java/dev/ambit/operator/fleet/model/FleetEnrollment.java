package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import java.util.HashMap;
import java.util.Map;

/**
 * The MeshEnrollment of a fleet in one of its namespaces. It has labels of its own and none of the
 * fleet's: tools that look after the fleet by its labels and annotations must not take it for one
 * of theirs.
 */
public final class FleetEnrollment {
  private FleetEnrollment() {}

  /** As it is to be applied. */
  public static MeshEnrollment of(
      ClusterMeshEnrollment fleet, String namespace, MeshEnrollmentSpec spec) {
    Map<String, String> labels = new HashMap<>(CommonLabels.of(WellKnown.FLEET_NAME));
    labels.put(WellKnown.FLEET, fleet.getMetadata().getName());
    MeshEnrollment enrollment = new MeshEnrollment();
    enrollment.setMetadata(
        new ObjectMetaBuilder()
            .withNamespace(namespace)
            .withName(WellKnown.FLEET_NAME)
            .withLabels(labels)
            .withOwnerReferences(
                new OwnerReferenceBuilder()
                    .withApiVersion(fleet.getApiVersion())
                    .withKind(fleet.getKind())
                    .withName(fleet.getMetadata().getName())
                    .withUid(fleet.getMetadata().getUid())
                    .withController(true)
                    // Where the fleet is deleted in the foreground, they still leave in its order.
                    .withBlockOwnerDeletion(false)
                    .build())
            .build());
    enrollment.setSpec(spec);
    return enrollment;
  }
}
