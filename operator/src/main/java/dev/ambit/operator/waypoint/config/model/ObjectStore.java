package dev.ambit.operator.waypoint.config.model;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Objects of several kinds, by kind and "namespace/name". */
final class ObjectStore {
  private final Map<Class<?>, Map<String, HasMetadata>> kinds = new HashMap<>();

  void put(HasMetadata object) {
    kinds.computeIfAbsent(object.getClass(), _ -> new TreeMap<>()).put(key(object), object);
  }

  void remove(HasMetadata object) {
    Map<String, HasMetadata> present = kinds.get(object.getClass());
    if (present != null) {
      present.remove(key(object));
    }
  }

  static String key(HasMetadata object) {
    String namespace = object.getMetadata().getNamespace();
    return (namespace == null ? "" : namespace) + "/" + object.getMetadata().getName();
  }

  <T extends HasMetadata> Collection<T> all(Class<T> kind) {
    return kinds.getOrDefault(kind, Map.of()).values().stream().map(kind::cast).toList();
  }

  boolean has(Class<? extends HasMetadata> kind) {
    return !kinds.getOrDefault(kind, Map.of()).isEmpty();
  }

  <T extends HasMetadata> Optional<T> get(Class<T> kind, String key) {
    return Optional.ofNullable(kinds.getOrDefault(kind, Map.of()).get(key)).map(kind::cast);
  }

  static Map<String, String> labels(HasMetadata object) {
    Map<String, String> labels = object.getMetadata().getLabels();
    return labels == null ? Map.of() : labels;
  }

  static <T> List<T> orEmpty(@org.jspecify.annotations.Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
