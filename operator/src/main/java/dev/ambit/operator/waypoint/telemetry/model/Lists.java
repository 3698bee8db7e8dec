package dev.ambit.operator.waypoint.telemetry.model;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Lists of objects that users wrote. */
final class Lists {
  private Lists() {}

  /** Without nulls, and empty where there is none. */
  static <T> List<T> of(@Nullable List<T> list) {
    return list == null ? List.of() : list.stream().filter(Objects::nonNull).toList();
  }
}
