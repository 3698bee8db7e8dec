package dev.ambit.operator.xds;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is served of one type, by name and by lookup key. Not thread-safe: the server guards it. */
final class ResourceTable {
  private final Map<String, XdsResource> byName = new LinkedHashMap<>();

  /** Names by lookup key; made when it is first asked for, as few clients ever ask by key. */
  private @Nullable Map<String, Set<String>> byKey;

  @Nullable XdsResource get(String name) {
    return byName.get(name);
  }

  Collection<XdsResource> all() {
    return byName.values();
  }

  void put(XdsResource resource) {
    XdsResource before = byName.put(resource.name(), resource);
    Map<String, Set<String>> keys = byKey;
    if (keys != null) {
      if (before != null) {
        unlink(keys, before);
      }
      link(keys, resource);
    }
  }

  void remove(String name) {
    XdsResource before = byName.remove(name);
    Map<String, Set<String>> keys = byKey;
    if (keys != null && before != null) {
      unlink(keys, before);
    }
  }

  /** All that a client gets who asks by that name or key. */
  List<XdsResource> find(String nameOrKey) {
    List<XdsResource> found = new ArrayList<>();
    XdsResource named = byName.get(nameOrKey);
    if (named != null) {
      found.add(named);
    }
    for (String name : keys().getOrDefault(nameOrKey, Set.of())) {
      XdsResource keyed = byName.get(name);
      if (keyed != null && keyed != named) {
        found.add(keyed);
      }
    }
    return found;
  }

  boolean knows(String nameOrKey) {
    return byName.containsKey(nameOrKey) || keys().containsKey(nameOrKey);
  }

  private Map<String, Set<String>> keys() {
    Map<String, Set<String>> present = byKey;
    if (present == null) {
      Map<String, Set<String>> made = new HashMap<>();
      byName.values().forEach(resource -> link(made, resource));
      byKey = made;
      return made;
    }
    return present;
  }

  /** Most keys lead to one resource, and a set of one is small. */
  private static void link(Map<String, Set<String>> keys, XdsResource resource) {
    for (String key : resource.lookupKeys()) {
      keys.merge(
          key,
          Set.of(resource.name()),
          (names, added) -> {
            if (names.containsAll(added)) {
              return names;
            }
            Set<String> more = names instanceof HashSet ? names : new HashSet<>(names);
            more.addAll(added);
            return more;
          });
    }
  }

  private static void unlink(Map<String, Set<String>> keys, XdsResource resource) {
    for (String key : resource.lookupKeys()) {
      keys.computeIfPresent(
          key,
          (_, names) -> {
            if (names.size() == 1) {
              return names.contains(resource.name()) ? null : names;
            }
            names.remove(resource.name());
            return names;
          });
    }
  }
}
