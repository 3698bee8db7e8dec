package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.traffic.model.TrafficStatus;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Passes on what waypoints make of VirtualServices and DestinationRules to where it is said on
 * their status: what is new, what is different, and what is no longer to be said. Not thread-safe.
 */
final class TrafficConditions {
  private final StatusConditions conditions;
  private Map<BoundObject, ObjectCondition> told = Map.of();

  TrafficConditions(StatusConditions conditions) {
    this.conditions = conditions;
  }

  /** All that is to be said now. */
  void update(List<TrafficStatus> statuses) {
    Map<BoundObject, ObjectCondition> next = new HashMap<>();
    statuses.forEach(status -> next.put(key(status.object()), status.condition()));
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

  private static BoundObject key(ObjectReference object) {
    return new BoundObject(
        object.kind().equals(BoundObject.Kind.VIRTUAL_SERVICE.text())
            ? BoundObject.Kind.VIRTUAL_SERVICE
            : BoundObject.Kind.DESTINATION_RULE,
        object.namespace(),
        object.name());
  }
}
