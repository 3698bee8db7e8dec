package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.security.model.SecurityReport;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Passes on what waypoints make of AuthorizationPolicies and RequestAuthentications to where it is
 * said on their status: what is new, what is different, and what is no longer to be said. Not
 * thread-safe.
 */
final class PolicyConditions {
  private final StatusConditions conditions;
  private Map<BoundObject, ObjectCondition> told = Map.of();

  PolicyConditions(StatusConditions conditions) {
    this.conditions = conditions;
  }

  /** All that is to be said now. */
  void update(List<SecurityReport> reports) {
    Map<BoundObject, ObjectCondition> next = new HashMap<>();
    reports.forEach(report -> next.put(key(report.object()), condition(report)));
    Map<BoundObject, ObjectCondition> before = told;
    told = next;
    next.forEach(
        (object, condition) -> {
          if (!condition.equals(before.get(object))) {
            conditions.put(object, List.of(condition));
          }
        });
    before
        .keySet()
        .forEach(
            object -> {
              if (!next.containsKey(object)) {
                conditions.put(object, List.of());
              }
            });
  }

  private static ObjectCondition condition(SecurityReport report) {
    return new ObjectCondition(
            ObjectCondition.WAYPOINT_ACCEPTED,
            report.verdict().isAccepted(),
            report.verdict().reason(),
            report.message())
        .of(report.generation());
  }

  private static BoundObject key(ObjectReference object) {
    return new BoundObject(
        object.kind().equals(BoundObject.Kind.AUTHORIZATION_POLICY.text())
            ? BoundObject.Kind.AUTHORIZATION_POLICY
            : BoundObject.Kind.REQUEST_AUTHENTICATION,
        object.namespace(),
        object.name());
  }
}
