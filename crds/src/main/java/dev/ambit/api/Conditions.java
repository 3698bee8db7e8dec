package dev.ambit.api;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Reads and replaces conditions, keeping the time at which each last changed its status. */
public final class Conditions {
  public static final String READY = "Ready";
  public static final String RECONCILING = "Reconciling";
  public static final String STALLED = "Stalled";
  public static final String CAPTURED = "Captured";

  /** Whether every captured pod has shown its identity in a handshake. */
  public static final String PROVEN = "Proven";

  /** Whether the namespace's waypoint can be used. */
  public static final String WAYPOINT_READY = "WaypointReady";

  /** Whether each policy that bears on the namespace is enforced as it is written. */
  public static final String POLICIES_ENFORCED = "PoliciesEnforced";

  /** Whether captured pods refuse plaintext. */
  public static final String MTLS_STRICT = "MtlsStrict";

  /** Whether preflight has found nothing that would break. */
  public static final String PREFLIGHT_PASSED = "PreflightPassed";

  /** Whether the certificate authority's revocation list is what ztunnels go by. */
  public static final String REVOCATIONS_DISTRIBUTED = "RevocationsDistributed";

  /**
   * Whether waypoints do all that the mesh's providers and default providers say; set only where
   * not.
   */
  public static final String PROVIDERS_ACCEPTED = "ProvidersAccepted";

  private Conditions() {}

  /** One condition to be set. */
  public record Wanted(String type, boolean holds, String reason, String message) {}

  /** The condition of this type. */
  public static Optional<Condition> find(List<Condition> conditions, String type) {
    return conditions.stream().filter(condition -> type.equals(condition.getType())).findFirst();
  }

  /** Whether the condition of this type is there and holds. */
  public static boolean holds(List<Condition> conditions, String type) {
    return find(conditions, type).filter(c -> "True".equals(c.getStatus())).isPresent();
  }

  /**
   * The wanted conditions, in their order. The transition time of one whose status is what it was
   * is kept.
   */
  public static List<Condition> update(
      List<Condition> before, List<Wanted> wanted, @Nullable Long generation, Instant now) {
    List<Condition> after = new ArrayList<>();
    for (Wanted condition : wanted) {
      String status = condition.holds() ? "True" : "False";
      String since =
          find(before, condition.type())
              .filter(old -> status.equals(old.getStatus()))
              .map(Condition::getLastTransitionTime)
              .orElseGet(() -> now.truncatedTo(ChronoUnit.SECONDS).toString());
      after.add(
          new ConditionBuilder()
              .withType(condition.type())
              .withStatus(status)
              .withReason(condition.reason())
              .withMessage(condition.message())
              .withObservedGeneration(generation)
              .withLastTransitionTime(since)
              .build());
    }
    return List.copyOf(after);
  }
}
