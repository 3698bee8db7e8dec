package dev.ambit.operator.waypoint.life;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.operator.waypoint.life.model.InvalidParametersException;
import dev.ambit.operator.waypoint.life.model.WaypointParameters;
import dev.ambit.operator.waypoint.life.model.WaypointSettings;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.LocalParametersReference;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** Reads waypoints' parameters out of ConfigMaps. */
final class ParameterSource {
  /** On ConfigMaps of the mesh's own namespace: the class whose waypoints they are for. */
  static final String DEFAULTS_FOR_CLASS = "gateway.istio.io/defaults-for-class";

  private static final ObjectMapper JSON = new ObjectMapper();

  private ParameterSource() {}

  /** Whether a Gateway names parameters of its own. */
  static boolean named(Gateway gateway) {
    return reference(gateway).isPresent();
  }

  private static Optional<LocalParametersReference> reference(Gateway gateway) {
    return Optional.ofNullable(gateway.getSpec().getInfrastructure())
        .flatMap(infrastructure -> Optional.ofNullable(infrastructure.getParametersRef()));
  }

  /**
   * What applies to a Gateway: first what its class gives to all, then what the enrollment says
   * that made it, then its own.
   *
   * @param defaults the ConfigMaps with parameters of classes
   * @throws InvalidParametersException where one of them cannot be read
   */
  static List<WaypointParameters> of(
      Gateway gateway, Stream<ConfigMap> defaults, KubernetesClient client)
      throws InvalidParametersException {
    List<WaypointParameters> parameters = new ArrayList<>();
    Optional<ConfigMap> ofClass =
        defaults
            .filter(
                map ->
                    gateway
                        .getSpec()
                        .getGatewayClassName()
                        .equals(map.getMetadata().getLabels().get(DEFAULTS_FOR_CLASS)))
            // As with Istio, the oldest counts.
            .min(
                Comparator.comparing(
                        (ConfigMap map) -> String.valueOf(map.getMetadata().getCreationTimestamp()))
                    .thenComparing(map -> map.getMetadata().getName()));
    if (ofClass.isPresent()) {
      parameters.add(read(ofClass.get(), true));
    }
    Optional<LocalParametersReference> named = reference(gateway);
    WaypointParameters own =
        named.isPresent() ? read(get(gateway, named.get(), client), false) : null;
    Optional<WaypointSettings> settings = WaypointSettings.of(gateway);
    if (settings.isPresent()) {
      parameters.add(settings.get().parameters(own));
    }
    if (own != null) {
      parameters.add(own);
    }
    return parameters;
  }

  private static ConfigMap get(
      Gateway gateway, LocalParametersReference reference, KubernetesClient client)
      throws InvalidParametersException {
    boolean coreGroup = reference.getGroup() == null || reference.getGroup().isEmpty();
    if (!coreGroup || !"ConfigMap".equals(reference.getKind())) {
      throw new InvalidParametersException(
          "infrastructure.parametersRef names a "
              + reference.getKind()
              + " of group "
              + reference.getGroup()
              + ", and a waypoint's parameters are a ConfigMap (group \"\")");
    }
    ConfigMap map =
        client
            .configMaps()
            .inNamespace(gateway.getMetadata().getNamespace())
            .withName(reference.getName())
            .get();
    if (map == null) {
      throw new InvalidParametersException(
          "infrastructure.parametersRef names ConfigMap "
              + gateway.getMetadata().getNamespace()
              + "/"
              + reference.getName()
              + ", which does not exist");
    }
    return map;
  }

  private static WaypointParameters read(ConfigMap map, boolean byMesh)
      throws InvalidParametersException {
    String source =
        "ConfigMap " + map.getMetadata().getNamespace() + "/" + map.getMetadata().getName();
    Map<String, ObjectNode> patches = new HashMap<>();
    Map<String, String> data = map.getData() == null ? Map.of() : map.getData();
    for (Map.Entry<String, String> entry : data.entrySet()) {
      if (!WaypointParameters.KEYS.contains(entry.getKey())) {
        throw new InvalidParametersException(
            source
                + " has the key "
                + entry.getKey()
                + ", which is none of "
                + String.join(", ", WaypointParameters.KEYS.stream().sorted().toList()));
      }
      try {
        // Else what begins with a brace would have to be JSON.
        String text = entry.getValue().strip();
        Object parsed =
            Serialization.unmarshal(text.startsWith("{") ? "---\n" + text : text, Object.class);
        if (parsed != null) {
          patches.put(entry.getKey(), JSON.convertValue(parsed, ObjectNode.class));
        }
      } catch (RuntimeException e) {
        throw new InvalidParametersException(
            source
                + ", key "
                + entry.getKey()
                + " is not an object in YAML: "
                + String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
      }
    }
    return new WaypointParameters(source, byMesh, patches);
  }
}
