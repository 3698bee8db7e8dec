package dev.ambit.api;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

/** Which of a namespace's MeshEnrollments counts. */
public final class EffectiveEnrollment {
  private static final Comparator<MeshEnrollment> PRECEDENCE =
      Comparator.comparing((MeshEnrollment enrollment) -> enrollment.fleet().isPresent())
          .thenComparing(
              enrollment -> !WellKnown.DEFAULT_NAME.equals(enrollment.getMetadata().getName()))
          .thenComparing(
              enrollment -> enrollment.getMetadata().getCreationTimestamp(),
              Comparator.nullsLast(Comparator.naturalOrder()))
          .thenComparing(enrollment -> enrollment.getMetadata().getName());

  private EffectiveEnrollment() {}

  /**
   * The enrollment that counts among all of one namespace: the user's named {@code default}, else
   * the user's oldest, else a fleet's. Mirrors and objects that are being deleted do not count, and
   * a dry run that has never been more does not either: it only plans.
   */
  public static Optional<MeshEnrollment> of(Collection<MeshEnrollment> ofOneNamespace) {
    return users(ofOneNamespace).filter(enrollment -> !enrollment.onlyPlans()).min(PRECEDENCE);
  }

  /**
   * What the operator has released of the enrollments of one namespace, which node agents and the
   * control plane go by. Nothing where the namespace's labels decide. An enrollment that is new and
   * not yet looked at changes nothing of what is in force.
   */
  public static Optional<InForce> inForce(Collection<MeshEnrollment> ofOneNamespace) {
    return users(ofOneNamespace)
        .filter(enrollment -> enrollment.inForce().isPresent())
        .min(PRECEDENCE)
        .flatMap(MeshEnrollment::inForce);
  }

  private static Stream<MeshEnrollment> users(Collection<MeshEnrollment> ofOneNamespace) {
    return ofOneNamespace.stream()
        .filter(enrollment -> !enrollment.isMirror())
        .filter(enrollment -> enrollment.getMetadata().getDeletionTimestamp() == null);
  }
}
