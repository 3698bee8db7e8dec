package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class WaypointConditionsTest {
  private static final BoundObject ROUTES =
      new BoundObject(BoundObject.Kind.VIRTUAL_SERVICE, "shop", "cart");
  private static final BoundObject RULE =
      new BoundObject(BoundObject.Kind.DESTINATION_RULE, "shop", "cart");

  private final StatusConditions conditions = new StatusConditions();
  private final List<BoundObject> changed = new ArrayList<>();
  private final WaypointConditions waypoints = new WaypointConditions(conditions);

  private static ObjectCondition accepted(boolean holds) {
    return new ObjectCondition(ObjectCondition.WAYPOINT_ACCEPTED, holds, "Reason", "message").of(1);
  }

  private static ObjectReference reference(BoundObject object) {
    return new ObjectReference(
        "networking.istio.io", object.kind().text(), object.namespace(), object.name());
  }

  @Test
  void aServiceIsBoundUntilItsWaypointDoesNotTakeIt() {
    BoundObject service = new BoundObject(BoundObject.Kind.SERVICE, "shop", "cart");
    ObjectCondition bound =
        new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, true, "WaypointAccepted", "bound");
    ObjectCondition unbound =
        new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, false, "WaypointIsNotReady", "wait");
    ObjectCondition rejected =
        new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, false, "RejectedByWaypoint", "no");
    waypoints.ofMesh(service, List.of(bound));
    assertThat(conditions.of(service)).containsExactly(bound);
    waypoints.update(Map.of(reference(service), rejected));
    assertThat(conditions.of(service)).containsExactly(rejected);
    // That there is no waypoint says more.
    waypoints.ofMesh(service, List.of(unbound));
    assertThat(conditions.of(service)).containsExactly(unbound);
    waypoints.ofMesh(service, List.of(bound));
    assertThat(conditions.of(service)).containsExactly(rejected);
    waypoints.update(Map.of());
    assertThat(conditions.of(service)).containsExactly(bound);
    waypoints.ofMesh(service, List.of());
    assertThat(conditions.of(service)).isEmpty();
  }

  @Test
  void passesOnWhatIsDifferentAlone() {
    conditions.onChange(changed::add);

    waypoints.update(Map.of(reference(ROUTES), accepted(true), reference(RULE), accepted(true)));
    assertThat(changed).containsExactlyInAnyOrder(ROUTES, RULE);
    assertThat(conditions.of(ROUTES)).containsExactly(accepted(true));
    changed.clear();

    waypoints.update(Map.of(reference(ROUTES), accepted(true), reference(RULE), accepted(false)));
    assertThat(changed).containsExactly(RULE);
    assertThat(conditions.of(RULE)).containsExactly(accepted(false));
    changed.clear();

    waypoints.update(Map.of(reference(RULE), accepted(false)));
    assertThat(changed).containsExactly(ROUTES);
    assertThat(conditions.of(ROUTES)).isEmpty();
  }
}
