package dev.ambit.operator.enrollment;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import dev.ambit.operator.enrollment.model.EnrollmentSource;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import dev.ambit.operator.enrollment.model.Traffic;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * What ztunnels tell of namespaces, asked for while an enrollment turns on it. Of several
 * enrollments of one namespace each asks for itself, and one that does not ask takes nothing from
 * another. Thread-safe.
 */
public final class ZtunnelReports {
  private final TrafficCounts traffic;
  private final PlaintextWatch plaintext;

  // Guarded by this: the names of those that ask, by namespace.
  private final Map<String, Set<String>> forTraffic = new HashMap<>();
  private final Map<String, Set<String>> forPlaintext = new HashMap<>();

  public ZtunnelReports(TrafficCounts traffic, PlaintextWatch plaintext) {
    this.traffic = traffic;
    this.plaintext = plaintext;
  }

  /**
   * How connections fare, while a rollout turns on it.
   *
   * @param nodes those with pods of the namespace
   */
  synchronized Traffic traffic(
      ResourceID enrollment,
      EnrollmentSource source,
      MeshEnrollmentStatus before,
      Set<String> nodes) {
    boolean wanted =
        source instanceof EnrollmentSource.User(MeshEnrollmentSpec spec)
            && spec.stage() != Stage.NONE
            && !spec.dryRun()
            && spec.effectiveRollout().abortAbove() != null
            && (before.rollout() == null || !before.rollout().complete());
    return asks(forTraffic, enrollment, wanted, traffic::forget)
        ? traffic.since(namespace(enrollment), nodes)
        : Traffic.NONE;
  }

  /** What was told of connections is in the enrollment's status. */
  void kept(ResourceID enrollment, Traffic told) {
    traffic.kept(namespace(enrollment), told);
  }

  /**
   * What plaintext was seen, while strict mTLS is asked for and not in force.
   *
   * @param nodes those with pods of the namespace
   */
  synchronized PlaintextSightings plaintext(
      ResourceID enrollment,
      EnrollmentSource source,
      MeshEnrollmentStatus before,
      Set<String> nodes) {
    MeshEnrollmentSpec spec =
        switch (source) {
          case EnrollmentSource.User(MeshEnrollmentSpec user) -> user;
          case EnrollmentSource.Plan(MeshEnrollmentSpec plan) -> plan;
          case EnrollmentSource.Labels ignored -> null;
          case EnrollmentSource.Superseded ignored -> null;
        };
    boolean wanted =
        spec != null
            && spec.stage() != Stage.NONE
            && spec.mtls() != null
            && spec.mtls() != EnrollmentMtls.PERMISSIVE
            && (before.inForce() == null || before.inForce().mtls() != EnrollmentMtls.STRICT);
    return asks(forPlaintext, enrollment, wanted, plaintext::forget)
        ? plaintext.of(namespace(enrollment), nodes)
        : PlaintextSightings.NOT_ASKED;
  }

  /** An enrollment is no more. */
  synchronized void forget(ResourceID enrollment) {
    var unused = asks(forTraffic, enrollment, false, traffic::forget);
    var neither = asks(forPlaintext, enrollment, false, plaintext::forget);
  }

  private static String namespace(ResourceID enrollment) {
    return enrollment.getNamespace().orElseThrow();
  }

  /** Keeps account of who asks: once nobody does, the namespace is forgotten. */
  private static boolean asks(
      Map<String, Set<String>> asking,
      ResourceID enrollment,
      boolean wanted,
      Consumer<String> forget) {
    String namespace = namespace(enrollment);
    Set<String> names = asking.computeIfAbsent(namespace, _ -> new HashSet<>());
    if (wanted) {
      names.add(enrollment.getName());
      return true;
    }
    boolean asked = names.remove(enrollment.getName());
    if (names.isEmpty()) {
      asking.remove(namespace);
      if (asked) {
        forget.accept(namespace);
      }
    }
    return false;
  }
}
