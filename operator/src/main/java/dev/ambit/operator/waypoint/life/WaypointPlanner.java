package dev.ambit.operator.waypoint.life;

import dev.ambit.api.WaypointPlan;
import dev.ambit.api.WaypointSpec;
import dev.ambit.operator.waypoint.life.model.GatewayReport;
import dev.ambit.operator.waypoint.life.model.InvalidParametersException;
import dev.ambit.operator.waypoint.life.model.WaypointCost;
import dev.ambit.operator.waypoint.life.model.WaypointObjects;
import dev.ambit.operator.waypoint.life.model.WaypointRequest;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.HttpURLConnection;
import java.util.List;
import java.util.Map;

/** Says what a waypoint would cost, of the parameters that hold for it. */
public final class WaypointPlanner {
  private final KubernetesClient client;
  private final String rootNamespace;

  /** Reads as that client. */
  public WaypointPlanner(KubernetesClient client, String rootNamespace) {
    this.client = client;
    this.rootNamespace = rootNamespace;
  }

  /**
   * Plans.
   *
   * @param wanted the Gateway that would be made, unless one of that name is there
   * @param mesh what waypoints are like
   */
  public WaypointPlan plan(Gateway wanted, WaypointSpec mesh) {
    String name = wanted.getMetadata().getName();
    try {
      Gateway present = present(wanted);
      boolean made = present == null;
      Gateway gateway = present == null ? wanted : present;
      if (gateway.getMetadata().getUid() == null) {
        gateway =
            new GatewayBuilder(gateway).editMetadata().withUid("planned").endMetadata().build();
      }
      List<ConfigMap> defaults =
          client
              .configMaps()
              .inNamespace(rootNamespace)
              .withLabel(ParameterSource.DEFAULTS_FOR_CLASS)
              .list()
              .getItems();
      WaypointCost cost =
          WaypointCost.of(
              WaypointObjects.of(
                  new WaypointRequest(
                      gateway,
                      GatewayReport.listeners(gateway),
                      mesh,
                      Map.of(),
                      ParameterSource.of(gateway, defaults.stream(), client))));
      return new WaypointPlan(name, made, cost.fewest(), cost.most(), null);
    } catch (InvalidParametersException e) {
      return new WaypointPlan(name, true, null, null, e.getMessage());
    } catch (KubernetesClientException e) {
      return new WaypointPlan(
          name, true, null, null, "the API server does not tell: " + e.getMessage());
    }
  }

  private @org.jspecify.annotations.Nullable Gateway present(Gateway wanted) {
    try {
      return client
          .resources(Gateway.class)
          .inNamespace(wanted.getMetadata().getNamespace())
          .withName(wanted.getMetadata().getName())
          .get();
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_NOT_FOUND) {
        return null;
      }
      throw e;
    }
  }
}
