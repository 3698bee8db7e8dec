package dev.ambit.operator.waypoint.life;

import dev.ambit.operator.waypoint.life.model.WaypointFacts;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** What the control plane knows of waypoints, as every replica does. Thread-safe. */
public final class WaypointNews {
  private final List<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
  private volatile Map<String, WaypointFacts> facts = Map.of();

  /** All of it, by Gateway, "namespace/name". */
  public void put(Map<String, WaypointFacts> next) {
    Map<String, WaypointFacts> before;
    synchronized (this) {
      before = facts;
      facts = Map.copyOf(next);
    }
    Set<String> gateways = new HashSet<>(before.keySet());
    gateways.addAll(next.keySet());
    gateways.removeIf(
        gateway ->
            before
                .getOrDefault(gateway, WaypointFacts.NONE)
                .equals(next.getOrDefault(gateway, WaypointFacts.NONE)));
    gateways.forEach(gateway -> listeners.forEach(listener -> listener.accept(gateway)));
  }

  /** Of one Gateway, "namespace/name". */
  public WaypointFacts of(String gateway) {
    return facts.getOrDefault(gateway, WaypointFacts.NONE);
  }

  /**
   * Calls back, on the thread that makes a change, for each Gateway of which other is to be said.
   */
  AutoCloseable onChange(Consumer<String> listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }
}
