package dev.ambit.operator.waypoint.life.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Kubernetes' strategic merge, for the kinds that a waypoint consists of: maps are merged, a null
 * removes a field, and elements of certain lists are merged with those of the same key.
 */
final class StrategicMerge {
  private static final String DIRECTIVE = "$patch";
  private static final String RETAIN = "$retainKeys";

  /** By a list's name and, where that is not enough, the name of what it is in. */
  private static final Map<String, String> KEYS =
      Map.ofEntries(
          Map.entry("containers", "name"),
          Map.entry("initContainers", "name"),
          Map.entry("volumes", "name"),
          Map.entry("env", "name"),
          Map.entry("volumeMounts", "mountPath"),
          Map.entry("volumeDevices", "devicePath"),
          Map.entry("topologySpreadConstraints", "topologyKey"),
          Map.entry("hostAliases", "ip"),
          Map.entry("resourceClaims", "name"),
          Map.entry("schedulingGates", "name"),
          Map.entry("secrets", "name"),
          Map.entry("spec.imagePullSecrets", "name"),
          Map.entry("ownerReferences", "uid"),
          Map.entry("containers.ports", "containerPort"),
          Map.entry("initContainers.ports", "containerPort"),
          Map.entry("spec.ports", "port"));

  /** Lists of plain values that are joined and not replaced. */
  private static final Set<String> JOINED = Set.of("finalizers");

  private StrategicMerge() {}

  /**
   * What comes of a patch; empty where it removes the whole object.
   *
   * @throws InvalidParametersException where the patch cannot be applied
   */
  static Optional<ObjectNode> apply(ObjectNode base, ObjectNode patch)
      throws InvalidParametersException {
    if ("delete".equals(directive(patch))) {
      return Optional.empty();
    }
    return Optional.of(merge("", "", base, patch));
  }

  private static ObjectNode merge(String parent, String name, ObjectNode base, ObjectNode patch)
      throws InvalidParametersException {
    String directive = directive(patch);
    ObjectNode merged = "replace".equals(directive) ? node() : base.deepCopy();
    if (directive != null && !directive.equals("replace") && !directive.equals("merge")) {
      throw new InvalidParametersException(
          at(parent, name) + " has the directive $patch: " + directive + ", which has no meaning");
    }
    retain(parent, name, merged, patch);
    for (Map.Entry<String, JsonNode> field : patch.properties()) {
      String key = field.getKey();
      if (key.equals(DIRECTIVE) || key.equals(RETAIN)) {
        continue;
      }
      if (key.startsWith("$")) {
        throw new InvalidParametersException(
            at(parent, name) + " has the directive " + key + ", which is not supported here");
      }
      JsonNode value = field.getValue();
      if (value.isNull()) {
        merged.remove(key);
      } else {
        merged.set(key, merge(name, key, merged.get(key), value));
      }
    }
    return merged;
  }

  private static void retain(String parent, String name, ObjectNode merged, ObjectNode patch)
      throws InvalidParametersException {
    JsonNode retained = patch.get(RETAIN);
    if (retained == null) {
      return;
    }
    if (!retained.isArray()) {
      throw new InvalidParametersException(
          at(parent, name) + " has " + RETAIN + " that is not a list");
    }
    merged.retain(
        StreamSupport.stream(retained.spliterator(), false).map(JsonNode::asText).toList());
  }

  private static JsonNode merge(String parent, String name, @Nullable JsonNode base, JsonNode patch)
      throws InvalidParametersException {
    if (patch instanceof ObjectNode object) {
      return merge(parent, name, base instanceof ObjectNode before ? before : node(), object);
    }
    if (patch instanceof ArrayNode list) {
      ArrayNode before =
          base instanceof ArrayNode present ? present : JsonNodeFactory.instance.arrayNode();
      String key = KEYS.getOrDefault(parent + "." + name, KEYS.getOrDefault(name, ""));
      if (!key.isEmpty()) {
        return mergeByKey(parent, name, key, before, list);
      }
      return JOINED.contains(name) ? join(before, list) : list.deepCopy();
    }
    return patch;
  }

  private static ArrayNode mergeByKey(
      String parent, String name, String key, ArrayNode base, ArrayNode patch)
      throws InvalidParametersException {
    ArrayNode merged = base.deepCopy();
    for (JsonNode element : patch) {
      if (!(element instanceof ObjectNode changes)) {
        throw new InvalidParametersException(
            at(parent, name) + " has an element that is not an object");
      }
      if ("replace".equals(directive(changes))) {
        // The whole list is replaced by the other elements.
        return replaced(patch);
      }
      JsonNode identity = changes.get(key);
      if (identity == null) {
        throw new InvalidParametersException(
            at(parent, name) + " has an element without " + key + ", by which elements are told");
      }
      int index = indexOf(merged, key, identity);
      if ("delete".equals(directive(changes))) {
        if (index >= 0) {
          merged.remove(index);
        }
      } else if (index >= 0) {
        merged.set(index, merge(parent, name, (ObjectNode) merged.get(index), changes));
      } else {
        merged.add(merge(parent, name, node(), changes));
      }
    }
    return merged;
  }

  private static ArrayNode replaced(ArrayNode patch) {
    ArrayNode elements = JsonNodeFactory.instance.arrayNode();
    patch.forEach(
        element -> {
          if (!element.has(DIRECTIVE)) {
            elements.add(element.deepCopy());
          }
        });
    return elements;
  }

  private static int indexOf(ArrayNode list, String key, JsonNode identity) {
    for (int i = 0; i < list.size(); i++) {
      if (identity.equals(list.get(i).get(key)) && list.get(i) instanceof ObjectNode) {
        return i;
      }
    }
    return -1;
  }

  private static ArrayNode join(ArrayNode base, ArrayNode patch) {
    ArrayNode joined = base.deepCopy();
    List<JsonNode> present = StreamSupport.stream(base.spliterator(), false).toList();
    patch.forEach(
        value -> {
          if (!present.contains(value)) {
            joined.add(value);
          }
        });
    return joined;
  }

  private static @Nullable String directive(ObjectNode node) {
    JsonNode directive = node.get(DIRECTIVE);
    return directive == null ? null : directive.asText();
  }

  private static ObjectNode node() {
    return JsonNodeFactory.instance.objectNode();
  }

  private static String at(String parent, String name) {
    return name.isEmpty() ? "it" : parent.isEmpty() ? name : parent + "." + name;
  }
}
