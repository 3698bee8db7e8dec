package dev.ambit.operator.xds;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The resources that clients of one kind see, and the streams of these clients. Its tables are
 * guarded by itself, which also orders commits against subscriptions.
 */
final class XdsRealm {
  private final String name;
  private final List<XdsType> types;
  private final Map<String, XdsType> typesByUrl = new HashMap<>();
  private final Set<DeltaStream> streams = ConcurrentHashMap.newKeySet();
  private final Map<String, ResourceTable> current = new HashMap<>();

  XdsRealm(String name, List<XdsType> types) {
    this.name = name;
    this.types = List.copyOf(types);
    for (XdsType type : this.types) {
      typesByUrl.put(type.url(), type);
      current.put(type.url(), new ResourceTable());
    }
  }

  String name() {
    return name;
  }

  /** In the order of dependence. */
  List<XdsType> types() {
    return types;
  }

  @Nullable XdsType type(String url) {
    return typesByUrl.get(url);
  }

  Set<DeltaStream> streams() {
    return streams;
  }

  /** Whoever calls holds the lock. */
  ResourceTable table(XdsType type) {
    ResourceTable table = current.get(type.url());
    if (table == null) {
      throw new IllegalArgumentException("realm " + name + " has no type " + type.url());
    }
    return table;
  }

  /** Makes changes and queues those that are some at each stream; false where none was. */
  synchronized boolean commit(ChangeSet changes) {
    ChangeSet effective = apply(changes);
    if (effective.isEmpty()) {
      return false;
    }
    streams.forEach(stream -> stream.enqueue(effective));
    return true;
  }

  private ChangeSet apply(ChangeSet changes) {
    Map<String, Map<String, Optional<XdsResource>>> effective = new LinkedHashMap<>();
    changes
        .changes()
        .forEach(
            (url, ofType) -> {
              ResourceTable resources = current.get(url);
              if (resources == null) {
                throw new IllegalArgumentException("realm " + name + " has no type " + url);
              }
              Map<String, Optional<XdsResource>> differing = new LinkedHashMap<>();
              ofType.forEach(
                  (resource, change) -> {
                    XdsResource before = resources.get(resource);
                    XdsResource after = change.orElse(null);
                    if (after == null ? before != null : !after.equals(before)) {
                      differing.put(resource, change);
                    }
                    if (after == null) {
                      resources.remove(resource);
                    } else {
                      resources.put(after);
                    }
                  });
              effective.put(url, differing);
            });
    return new ChangeSet(effective);
  }
}
