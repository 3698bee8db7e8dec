package dev.ambit.api;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** Which of a namespace's MeshEnrollments counts. */
public final class EffectiveEnrollment {
  private static final Comparator<MeshEnrollment> PRECEDENCE =
      Comparator.comparing(
              (MeshEnrollment enrollment) ->
                  !WellKnown.DEFAULT_NAME.equals(enrollment.getMetadata().getName()))
          .thenComparing(
              enrollment -> enrollment.getMetadata().getCreationTimestamp(),
              Comparator.nullsLast(Comparator.naturalOrder()))
          .thenComparing(enrollment -> enrollment.getMetadata().getName());

  private EffectiveEnrollment() {}

  /**
   * The user's enrollment that counts among all of one namespace: the one named {@code default},
   * else the oldest. Mirrors and objects that are being deleted do not count.
   */
  public static Optional<MeshEnrollment> of(Collection<MeshEnrollment> ofOneNamespace) {
    return ofOneNamespace.stream()
        .filter(enrollment -> !enrollment.isMirror())
        .filter(enrollment -> enrollment.getMetadata().getDeletionTimestamp() == null)
        .min(PRECEDENCE);
  }
}
