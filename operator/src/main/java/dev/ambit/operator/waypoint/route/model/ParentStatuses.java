package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.ObjectCondition;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A route's {@code status.parents}, as JSON has it: entries of several controllers, of which only
 * ours are changed, and in them only the conditions that are ours.
 */
public final class ParentStatuses {
  private static final Set<String> OWN_CONDITIONS =
      Set.of(
          GatewayApi.ACCEPTED,
          GatewayApi.RESOLVED_REFS,
          GatewayApi.PARTIALLY_INVALID,
          RouteStatus.RESOLVED_WAYPOINTS,
          RouteStatus.ENFORCED);

  /** The API takes no more entries. */
  private static final int MOST = 32;

  private ParentStatuses() {}

  /** A parent by what identifies it, with the API's defaults filled in. */
  private record Key(
      String group, String kind, String namespace, String name, String section, String port) {}

  /**
   * What it should be.
   *
   * @param present as it is
   * @param wanted all that is to be said on this route
   * @param namespace of the route
   */
  public static List<Map<String, Object>> merge(
      List<Map<String, Object>> present, List<RouteStatus> wanted, String namespace, Instant now) {
    Map<Key, RouteStatus> open = new LinkedHashMap<>();
    wanted.forEach(status -> open.putIfAbsent(key(status.parent(), namespace), status));
    List<Map<String, Object>> merged = new ArrayList<>();
    for (Map<String, Object> entry : present) {
      if (!isOurs(entry)) {
        merged.add(entry);
        continue;
      }
      // Ours for a parent that the route no longer has, or has twice, goes.
      RouteStatus status = open.remove(key(entry, namespace));
      if (status != null) {
        merged.add(entry(status, entry, now));
      }
    }
    open.values().stream()
        .limit(Math.max(0, MOST - merged.size()))
        .forEach(status -> merged.add(entry(status, Map.of(), now)));
    return merged;
  }

  /** Whether a condition is said of a parent already. */
  public static boolean says(
      List<Map<String, Object>> present,
      RouteStatus status,
      String namespace,
      ObjectCondition condition) {
    return present.stream()
        .filter(ParentStatuses::isOurs)
        .filter(entry -> key(entry, namespace).equals(key(status.parent(), namespace)))
        .flatMap(entry -> conditions(entry).stream())
        .anyMatch(
            each ->
                condition.type().equals(each.get("type"))
                    && text(condition.holds()).equals(each.get("status"))
                    && condition.message().equals(each.get("message")));
  }

  private static boolean isOurs(Map<String, Object> entry) {
    return RouteStatus.CONTROLLER_NAME.equals(entry.get("controllerName"));
  }

  private static Map<String, Object> entry(
      RouteStatus status, Map<String, Object> present, Instant now) {
    List<Map<String, Object>> before = conditions(present);
    if (before.stream().anyMatch(condition -> generation(condition) > status.generation())) {
      // What is known of the route here is older; newer will be known soon.
      return present;
    }
    List<Map<String, Object>> conditions = new ArrayList<>();
    for (ObjectCondition condition : status.conditions()) {
      conditions.add(condition(condition, status.generation(), before, now));
    }
    before.stream()
        .filter(condition -> !OWN_CONDITIONS.contains(String.valueOf(condition.get("type"))))
        .forEach(conditions::add);
    Map<String, Object> entry = new LinkedHashMap<>(present);
    entry.put("parentRef", json(status.parent()));
    entry.put("controllerName", RouteStatus.CONTROLLER_NAME);
    entry.put("conditions", inOrder(conditions, before));
    return entry;
  }

  /** Conditions stay where they were. */
  private static List<Map<String, Object>> inOrder(
      List<Map<String, Object>> conditions, List<Map<String, Object>> before) {
    List<Object> types = before.stream().map(condition -> condition.get("type")).toList();
    List<Map<String, Object>> ordered = new ArrayList<>(conditions);
    ordered.sort(
        Comparator.comparingInt(
            condition -> {
              int index = types.indexOf(condition.get("type"));
              return index < 0 ? Integer.MAX_VALUE : index;
            }));
    return ordered;
  }

  private static Map<String, Object> condition(
      ObjectCondition condition, long generation, List<Map<String, Object>> before, Instant now) {
    String status = text(condition.holds());
    Object since =
        before.stream()
            .filter(
                each ->
                    condition.type().equals(each.get("type"))
                        && status.equals(each.get("status"))
                        && each.get("lastTransitionTime") != null)
            .map(each -> each.get("lastTransitionTime"))
            .findFirst()
            .orElseGet(() -> now.truncatedTo(ChronoUnit.SECONDS).toString());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("lastTransitionTime", since);
    json.put("message", condition.message());
    json.put("observedGeneration", number(generation));
    json.put("reason", condition.reason());
    json.put("status", status);
    json.put("type", condition.type());
    return json;
  }

  /** As JSON is parsed: what fits an integer is one, so that what is the same is equal. */
  private static Number number(long value) {
    if (value == (int) value) {
      return (int) value;
    }
    return value;
  }

  private static String text(boolean holds) {
    return holds ? "True" : "False";
  }

  private static long generation(Map<String, Object> condition) {
    return condition.get("observedGeneration") instanceof Number number ? number.longValue() : 0;
  }

  private static List<Map<String, Object>> conditions(Map<String, Object> entry) {
    List<Map<String, Object>> conditions = new ArrayList<>();
    if (entry.get("conditions") instanceof List<?> list) {
      for (Object each : list) {
        if (each instanceof Map<?, ?> condition) {
          Map<String, Object> copy = new LinkedHashMap<>();
          condition.forEach((key, value) -> copy.put(String.valueOf(key), value));
          conditions.add(copy);
        }
      }
    }
    return conditions;
  }

  private static Map<String, Object> json(ParentReference parent) {
    Map<String, Object> json = new LinkedHashMap<>();
    put(json, "group", parent.getGroup());
    put(json, "kind", parent.getKind());
    put(json, "namespace", parent.getNamespace());
    put(json, "name", parent.getName());
    put(json, "sectionName", parent.getSectionName());
    put(json, "port", parent.getPort());
    return json;
  }

  private static void put(Map<String, Object> json, String key, @Nullable Object value) {
    if (value != null) {
      json.put(key, value);
    }
  }

  private static Key key(ParentReference parent, String namespace) {
    return keyOf(json(parent), namespace);
  }

  private static Key key(Map<String, Object> entry, String namespace) {
    return entry.get("parentRef") instanceof Map<?, ?> reference
        ? keyOf(reference, namespace)
        : new Key("", "", "", "", "", "");
  }

  private static Key keyOf(Map<?, ?> reference, String namespace) {
    return new Key(
        value(reference, "group").orElse(GatewayApi.GROUP),
        value(reference, "kind").orElse("Gateway"),
        value(reference, "namespace").filter(text -> !text.isEmpty()).orElse(namespace),
        value(reference, "name").orElse(""),
        value(reference, "sectionName").orElse(""),
        value(reference, "port").orElse(""));
  }

  private static Optional<String> value(Map<?, ?> reference, String key) {
    return Optional.ofNullable(reference.get(key)).map(Objects::toString);
  }
}
