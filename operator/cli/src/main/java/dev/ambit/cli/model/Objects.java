package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.StreamSupport;

/** Reads objects as the API server writes them. What is not there is empty, never null. */
public final class Objects {
  private Objects() {}

  public static String name(JsonNode object) {
    return text(object, "/metadata/name");
  }

  public static String namespace(JsonNode object) {
    return text(object, "/metadata/namespace");
  }

  /** The text at a JSON pointer, or empty. */
  public static String text(JsonNode object, String pointer) {
    return object.at(pointer).asText("");
  }

  /** The elements of the array at a JSON pointer. */
  public static List<JsonNode> items(JsonNode object, String pointer) {
    JsonNode array = object.at(pointer);
    return array.isArray() ? StreamSupport.stream(array.spliterator(), false).toList() : List.of();
  }

  public static Map<String, String> labels(JsonNode object) {
    return strings(object.at("/metadata/labels"));
  }

  public static Map<String, String> annotations(JsonNode object) {
    return strings(object.at("/metadata/annotations"));
  }

  private static Map<String, String> strings(JsonNode object) {
    Map<String, String> strings = new LinkedHashMap<>();
    object.properties().forEach(entry -> strings.put(entry.getKey(), entry.getValue().asText()));
    return strings;
  }

  /** The object's conditions, or those of another place that has some. */
  public static List<ConditionLine> conditions(JsonNode object) {
    return items(object, "/status/conditions").stream()
        .map(
            condition ->
                new ConditionLine(
                    text(condition, "/type"),
                    text(condition, "/status"),
                    text(condition, "/reason"),
                    text(condition, "/message"),
                    text(condition, "/lastTransitionTime")))
        .toList();
  }

  public static Optional<ConditionLine> condition(JsonNode object, String type) {
    return conditions(object).stream().filter(each -> each.type().equals(type)).findFirst();
  }

  /** Whether a condition is there and holds. */
  public static boolean holds(JsonNode object, String type) {
    return condition(object, type).filter(ConditionLine::holds).isPresent();
  }

  /** Whether a pod takes traffic. */
  public static boolean isReady(JsonNode pod) {
    return holds(pod, "Ready") && text(pod, "/metadata/deletionTimestamp").isEmpty();
  }
}
