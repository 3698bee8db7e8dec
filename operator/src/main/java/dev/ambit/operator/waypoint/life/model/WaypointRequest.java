package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.WaypointSpec;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.util.List;
import java.util.Map;

/**
 * All that a waypoint's objects are made from.
 *
 * @param listeners those of the Gateway's that can be served
 * @param mesh the mesh's defaults
 * @param files that Envoy is started with, by name
 * @param parameters of the class and of the Gateway, in this order
 */
public record WaypointRequest(
    Gateway gateway,
    List<WaypointListener> listeners,
    WaypointSpec mesh,
    Map<String, String> files,
    List<WaypointParameters> parameters) {
  public WaypointRequest {
    files = Map.copyOf(files);
    listeners = List.copyOf(listeners);
    parameters = List.copyOf(parameters);
  }
}
