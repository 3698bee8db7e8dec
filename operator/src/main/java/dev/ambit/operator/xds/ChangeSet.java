package dev.ambit.operator.xds;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Changes that belong together: each stream sees all of them or none. By type URL, then by name; an
 * empty value removes.
 */
public record ChangeSet(Map<String, Map<String, Optional<XdsResource>>> changes) {

  /** Collects changes, a later one of a name replacing an earlier one. Not thread-safe. */
  public static final class Builder {
    private final Map<String, Map<String, Optional<XdsResource>>> changes = new LinkedHashMap<>();

    /** Adds or replaces. */
    public Builder put(XdsType type, XdsResource resource) {
      of(type).put(resource.name(), Optional.of(resource));
      return this;
    }

    /** Removes. */
    public Builder remove(XdsType type, String name) {
      of(type).put(name, Optional.empty());
      return this;
    }

    private Map<String, Optional<XdsResource>> of(XdsType type) {
      return changes.computeIfAbsent(type.url(), _ -> new LinkedHashMap<>());
    }

    /** Whether nothing was collected yet. */
    public boolean isEmpty() {
      return changes.isEmpty();
    }

    public ChangeSet build() {
      return new ChangeSet(changes);
    }
  }

  /** Whether there is nothing in it. */
  public boolean isEmpty() {
    return changes.values().stream().allMatch(Map::isEmpty);
  }
}
