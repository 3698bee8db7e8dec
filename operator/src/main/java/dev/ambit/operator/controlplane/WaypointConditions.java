package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Passes on what waypoints make of the objects that users wrote for them to where it is said on
 * their status: what is new, what is different, and what is no longer to be said. Not thread-safe.
 */
final class WaypointConditions {
  private final StatusConditions conditions;
  private Map<BoundObject, ObjectCondition> told = Map.of();

  /** What the mesh itself makes of objects. */
  private final Map<BoundObject, List<ObjectCondition>> ofMesh = new HashMap<>();

  WaypointConditions(StatusConditions conditions) {
    this.conditions = conditions;
  }

  /** What the mesh itself says of an object, to which waypoints may have something to add. */
  void ofMesh(BoundObject object, List<ObjectCondition> wanted) {
    if (wanted.isEmpty()) {
      ofMesh.remove(object);
    } else {
      ofMesh.put(object, wanted);
    }
    conditions.put(object, all(object));
  }

  /** On services, one that holds gives way to what a waypoint says under the same type. */
  private List<ObjectCondition> all(BoundObject object) {
    List<ObjectCondition> own = ofMesh.getOrDefault(object, List.of());
    ObjectCondition added = told.get(object);
    if (added == null) {
      return own;
    }
    if (object.kind() != BoundObject.Kind.SERVICE
        && object.kind() != BoundObject.Kind.SERVICE_ENTRY) {
      return List.of(added);
    }
    return own.stream()
        .map(
            condition ->
                condition.type().equals(added.type()) && condition.holds() ? added : condition)
        .toList();
  }

  /** All that is to be said now. */
  void update(Map<ObjectReference, ObjectCondition> wanted) {
    Map<BoundObject, ObjectCondition> next = new HashMap<>();
    wanted.forEach((object, condition) -> next.put(key(object), condition));
    Map<BoundObject, ObjectCondition> before = told;
    told = next;
    next.forEach(
        (object, condition) -> {
          if (!condition.equals(before.get(object))) {
            conditions.put(object, all(object));
          }
        });
    Set<BoundObject> over = new HashSet<>(before.keySet());
    over.removeAll(next.keySet());
    over.forEach(object -> conditions.put(object, all(object)));
    // What the mesh itself makes of objects is said as they come, which all have by now.
    conditions.known();
  }

  private static BoundObject key(ObjectReference object) {
    BoundObject.Kind kind =
        Arrays.stream(BoundObject.Kind.values())
            .filter(each -> each.text().equals(object.kind()))
            .findFirst()
            .orElseThrow(
                () -> new IllegalArgumentException("nothing is said on a " + object.kind()));
    return new BoundObject(kind, object.namespace(), object.name());
  }
}
