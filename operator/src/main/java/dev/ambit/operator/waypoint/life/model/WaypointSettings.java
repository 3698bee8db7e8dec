package dev.ambit.operator.waypoint.life.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.api.WaypointAutoscaling;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How many instances a waypoint is to have and what each may use, as an enrollment says it of the
 * Gateway that it makes: an annotation of {@code spec.infrastructure}. It comes after what the mesh
 * and the class say, and before the Gateway's own parameters.
 *
 * @param replicas a fixed number
 * @param autoscaling how the number follows the load
 * @param resources of Envoy's container, in place of those that it would have
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record WaypointSettings(
    @Nullable Integer replicas,
    @Nullable WaypointAutoscaling autoscaling,
    @Nullable ResourceRequirements resources) {
  /** Of {@code spec.infrastructure}. */
  public static final String ANNOTATION = "ambit.dev/waypoint-settings";

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Whether nothing is said. */
  public boolean saysNothing() {
    return replicas == null && autoscaling == null && resources == null;
  }

  /** As the annotation has it. */
  public String text() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("settings cannot be written", e);
    }
  }

  /**
   * Those of a Gateway.
   *
   * @throws InvalidParametersException where they are not what an enrollment writes
   */
  public static Optional<WaypointSettings> of(Gateway gateway) throws InvalidParametersException {
    String text =
        gateway.getSpec().getInfrastructure() == null
                || gateway.getSpec().getInfrastructure().getAnnotations() == null
            ? null
            : gateway.getSpec().getInfrastructure().getAnnotations().get(ANNOTATION);
    if (text == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(JSON.readValue(text, WaypointSettings.class));
    } catch (JsonProcessingException e) {
      throw new InvalidParametersException(
          "the annotation "
              + ANNOTATION
              + " of infrastructure is not what an enrollment writes: "
              + e.getOriginalMessage());
    }
  }

  /**
   * The same as changes of the waypoint's objects.
   *
   * @param own the Gateway's own parameters, which come after these; null where it has none
   */
  public WaypointParameters parameters(@Nullable WaypointParameters own) {
    Map<String, ObjectNode> patches = new HashMap<>();
    ObjectNode deployment = JsonNodeFactory.instance.objectNode();
    if (replicas != null) {
      deployment.putObject("spec").put("replicas", replicas);
    }
    if (resources != null) {
      ObjectNode container =
          deployment
              .withObject("/spec/template/spec")
              .putArray("containers")
              .addObject()
              .put("name", WaypointDeployment.CONTAINER);
      ObjectNode wanted = JSON.convertValue(resources, ObjectNode.class);
      container.set("resources", wanted.put("$patch", "replace"));
    }
    if (!deployment.isEmpty()) {
      patches.put(WaypointParameters.DEPLOYMENT, deployment);
    }
    if (!decidesTheNumber(own)) {
      if (replicas != null) {
        patches.put(
            WaypointParameters.AUTOSCALER,
            JsonNodeFactory.instance.objectNode().put("$patch", "delete"));
      } else if (autoscaling != null) {
        patches.put(WaypointParameters.AUTOSCALER, autoscaler(autoscaling));
      }
    }
    return new WaypointParameters("the MeshEnrollment's spec.waypoint", false, patches);
  }

  private static boolean decidesTheNumber(@Nullable WaypointParameters own) {
    if (own == null) {
      return false;
    }
    ObjectNode deployment = own.patches().get(WaypointParameters.DEPLOYMENT);
    JsonNode number = deployment == null ? null : deployment.at("/spec/replicas");
    return own.patches().containsKey(WaypointParameters.AUTOSCALER)
        || (number != null && number.isNumber());
  }

  private static ObjectNode autoscaler(WaypointAutoscaling autoscaling) {
    ObjectNode autoscaler = JsonNodeFactory.instance.objectNode();
    ObjectNode spec = autoscaler.putObject("spec");
    spec.put("minReplicas", autoscaling.minReplicas());
    spec.put("maxReplicas", autoscaling.maxReplicas());
    ObjectNode metric = spec.putArray("metrics").addObject().put("type", "Resource");
    ObjectNode resource = metric.putObject("resource").put("name", "cpu");
    resource
        .putObject("target")
        .put("type", "Utilization")
        .put("averageUtilization", autoscaling.targetCpuUtilization());
    return autoscaler;
  }
}
