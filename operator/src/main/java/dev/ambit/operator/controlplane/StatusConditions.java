package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.ObjectCondition;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** What is to be said on objects' status, as every replica knows it. Thread-safe. */
final class StatusConditions {
  private final Map<BoundObject, List<ObjectCondition>> wanted = new ConcurrentHashMap<>();
  private final List<Consumer<BoundObject>> listeners = new CopyOnWriteArrayList<>();
  private volatile boolean known;

  void put(BoundObject object, List<ObjectCondition> conditions) {
    if (conditions.isEmpty()) {
      wanted.remove(object);
    } else {
      wanted.put(object, conditions);
    }
    listeners.forEach(listener -> listener.accept(object));
  }

  /** All that there is to say has been found out once. */
  void known() {
    known = true;
  }

  boolean isKnown() {
    return known;
  }

  /** What is to be said on an object; empty for nothing. */
  List<ObjectCondition> of(BoundObject object) {
    return wanted.getOrDefault(object, List.of());
  }

  /** The objects that something is to be said on. */
  Set<BoundObject> objects() {
    return new HashSet<>(wanted.keySet());
  }

  /**
   * Calls back, on the thread that makes a change, for each object of which other is to be said.
   */
  AutoCloseable onChange(Consumer<BoundObject> listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }
}
