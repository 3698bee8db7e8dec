package dev.ambit.operator.waypoint.life.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.Set;

/**
 * Changes to a waypoint's objects that a ConfigMap asks for.
 *
 * @param source the ConfigMap, for messages
 * @param byMesh whether it is of the mesh's own namespace, whose owners may ask for more
 * @param patches by key of the ConfigMap
 */
public record WaypointParameters(String source, boolean byMesh, Map<String, ObjectNode> patches) {
  static final String DEPLOYMENT = "deployment";
  static final String SERVICE = "service";
  static final String SERVICE_ACCOUNT = "serviceAccount";
  static final String AUTOSCALER = "horizontalPodAutoscaler";
  static final String DISRUPTION_BUDGET = "podDisruptionBudget";

  /** What a ConfigMap can have. */
  public static final Set<String> KEYS =
      Set.of(DEPLOYMENT, SERVICE, SERVICE_ACCOUNT, AUTOSCALER, DISRUPTION_BUDGET);

  public WaypointParameters {
    patches = Map.copyOf(patches);
  }
}
