package dev.ambit.operator.waypoint.route;

import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** What is to be said on the status of routes, as every replica knows it. Thread-safe. */
public final class RouteStatuses {
  private final List<Consumer<ObjectReference>> listeners = new CopyOnWriteArrayList<>();
  private volatile Map<ObjectReference, List<RouteStatus>> wanted = Map.of();
  private volatile boolean known;

  /** All that is to be said from now on. */
  public void put(List<RouteStatus> statuses) {
    Set<ObjectReference> changed = new HashSet<>();
    synchronized (this) {
      Map<ObjectReference, List<RouteStatus>> before = wanted;
      Map<ObjectReference, List<RouteStatus>> after =
          statuses.stream().collect(Collectors.groupingBy(RouteStatus::route));
      wanted = after;
      known = true;
      after.forEach(
          (route, each) -> {
            if (!each.equals(before.get(route))) {
              changed.add(route);
            }
          });
      before.keySet().stream().filter(route -> !after.containsKey(route)).forEach(changed::add);
    }
    changed.forEach(route -> listeners.forEach(listener -> listener.accept(route)));
  }

  /** Whether all that there is to say has been found out once. */
  boolean isKnown() {
    return known;
  }

  /** What is to be said on a route, of each of its parents; empty for nothing. */
  List<RouteStatus> of(ObjectReference route) {
    return Objects.requireNonNullElse(wanted.get(route), List.of());
  }

  /** The routes that something is to be said on. */
  Set<ObjectReference> routes() {
    return wanted.keySet();
  }

  /** Calls back, on the thread that makes a change, for each route of which other is to be said. */
  AutoCloseable onChange(Consumer<ObjectReference> listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }
}
