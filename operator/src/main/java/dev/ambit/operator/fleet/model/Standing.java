package dev.ambit.operator.fleet.model;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WellKnown;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What a fleet may do with a namespace. */
public sealed interface Standing {
  /** The fleet decides. */
  record Free() implements Standing {}

  /** The selector does not select it any more. */
  record Deselected() implements Standing {}

  /** The AmbientMesh leaves it out. */
  record Excluded() implements Standing {}

  /** Another fleet, which selects it too and is older, decides. */
  record OtherFleet(String fleet) implements Standing {}

  /**
   * A MeshEnrollment that is not a fleet's decides.
   *
   * @param name its name
   * @param released whether the operator has released any of it, so that the namespace's place in
   *     the mesh rests on it
   */
  record Own(String name, boolean released) implements Standing {}

  /**
   * What the fleet of that name may do.
   *
   * @param selected whether it selects the namespace
   * @param excluded whether the AmbientMesh leaves the namespace out
   * @param labels of the namespace
   * @param enrollments of the namespace
   */
  static Standing of(
      String fleet,
      boolean selected,
      boolean excluded,
      Map<String, String> labels,
      List<MeshEnrollment> enrollments,
      List<ClusterMeshEnrollment> fleets) {
    Optional<MeshEnrollment> own = own(enrollments);
    if (own.isPresent()) {
      return new Own(own.get().getMetadata().getName(), own.get().inForce().isPresent());
    }
    Optional<String> winner = Claims.winner(fleets, labels).filter(each -> !each.equals(fleet));
    if (winner.isPresent()) {
      return new OtherFleet(winner.get());
    }
    if (!selected) {
      return new Deselected();
    }
    return excluded ? new Excluded() : new Free();
  }

  /** The one that counts, or one that only plans and has the name of what a fleet would make. */
  private static Optional<MeshEnrollment> own(List<MeshEnrollment> enrollments) {
    return EffectiveEnrollment.of(enrollments)
        .filter(each -> each.fleet().isEmpty())
        .or(
            () ->
                enrollments.stream()
                    .filter(each -> WellKnown.FLEET_NAME.equals(each.getMetadata().getName()))
                    .filter(each -> each.fleet().isEmpty())
                    .findFirst());
  }
}
