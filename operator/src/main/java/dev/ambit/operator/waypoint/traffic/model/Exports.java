package dev.ambit.operator.waypoint.traffic.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which namespaces' proxies an object is for, by its {@code exportTo}. */
final class Exports {
  private Exports() {}

  /** Whether waypoints of a namespace see it; without {@code exportTo} all do. */
  static boolean reach(@Nullable List<String> exportTo, String own, String waypoint) {
    if (exportTo == null || exportTo.isEmpty()) {
      return true;
    }
    return exportTo.stream()
        .anyMatch(
            namespace ->
                switch (namespace) {
                  case "*" -> true;
                  case "." -> own.equals(waypoint);
                  default -> namespace.equals(waypoint);
                });
  }
}
