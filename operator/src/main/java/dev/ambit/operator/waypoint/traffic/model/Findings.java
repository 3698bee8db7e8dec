package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.PolicyReport.Finding;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What of one object is not enforced as written, each thing once, though the object may be
 * translated for many services.
 */
final class Findings {
  private final Set<Finding> findings = new LinkedHashSet<>();

  void add(String path, String effect) {
    findings.add(new Finding(path, effect));
  }

  void unlessAbsent(String path, @Nullable Object value, String effect) {
    if (value != null) {
      add(path, effect);
    }
  }

  /** Fields that our types do not know. */
  void unknown(String path, @Nullable Map<String, Object> fields) {
    if (fields != null) {
      fields.keySet().forEach(field -> add(path + "." + field, "is not known and not looked at"));
    }
  }

  List<Finding> all() {
    return List.copyOf(findings);
  }
}
