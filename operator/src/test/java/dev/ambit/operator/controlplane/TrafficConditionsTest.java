package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.traffic.model.TrafficStatus;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrafficConditionsTest {
  private static final BoundObject ROUTES =
      new BoundObject(BoundObject.Kind.VIRTUAL_SERVICE, "shop", "cart");
  private static final BoundObject RULE =
      new BoundObject(BoundObject.Kind.DESTINATION_RULE, "shop", "cart");

  private final StatusConditions conditions = new StatusConditions();
  private final List<BoundObject> changed = new ArrayList<>();
  private final TrafficConditions traffic = new TrafficConditions(conditions);

  private static ObjectCondition accepted(boolean holds) {
    return new ObjectCondition(ObjectCondition.WAYPOINT_ACCEPTED, holds, "Reason", "message").of(1);
  }

  private static TrafficStatus status(BoundObject object, boolean holds) {
    return new TrafficStatus(
        new ObjectReference(
            "networking.istio.io", object.kind().text(), object.namespace(), object.name()),
        accepted(holds));
  }

  @Test
  void passesOnWhatIsDifferentAlone() {
    conditions.onChange(changed::add);

    traffic.update(List.of(status(ROUTES, true), status(RULE, true)));
    assertThat(changed).containsExactlyInAnyOrder(ROUTES, RULE);
    assertThat(conditions.of(ROUTES)).containsExactly(accepted(true));
    changed.clear();

    traffic.update(List.of(status(ROUTES, true), status(RULE, false)));
    assertThat(changed).containsExactly(RULE);
    assertThat(conditions.of(RULE)).containsExactly(accepted(false));
    changed.clear();

    traffic.update(List.of(status(RULE, false)));
    assertThat(changed).containsExactly(ROUTES);
    assertThat(conditions.of(ROUTES)).isEmpty();
  }
}
