package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.waypoint.telemetry.model.Label.Traffic;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * Which metrics are counted, and with which labels.
 *
 * @param on those that are counted
 * @param changes of their labels: a name to the expression that its value is, or to none where the
 *     label is left out
 */
record MetricChoice(Set<Metric> on, Map<Metric, Map<String, Optional<String>>> changes) {
  /** All of them, as Istio has them. */
  static final MetricChoice ALL = new MetricChoice(Metric.all(), Map.of());

  /** Nothing is counted. */
  static final MetricChoice NONE = new MetricChoice(Set.of(), Map.of());

  MetricChoice {
    on = Set.copyOf(on);
    changes = Map.copyOf(changes);
  }

  boolean isOn(Metric metric) {
    return on.contains(metric);
  }

  /** The same with that metric counted or not. */
  MetricChoice with(Metric metric, boolean counted) {
    Set<Metric> next = EnumSet.noneOf(Metric.class);
    next.addAll(on);
    if (counted) {
      next.add(metric);
    } else {
      next.remove(metric);
    }
    return new MetricChoice(next, changes);
  }

  /** The same with that label of a metric changed. */
  MetricChoice with(Metric metric, String label, Optional<String> expression) {
    Map<Metric, Map<String, Optional<String>>> next = new EnumMap<>(Metric.class);
    next.putAll(changes);
    Map<String, Optional<String>> ofMetric = new TreeMap<>(changes.getOrDefault(metric, Map.of()));
    ofMetric.put(label, expression);
    next.put(metric, Map.copyOf(ofMetric));
    return new MetricChoice(on, next);
  }

  /** Labels and what Envoy formats their values from. */
  Map<String, String> labels(Metric metric, Traffic traffic) {
    Map<String, String> labels = new LinkedHashMap<>();
    Label.of(traffic).forEach(label -> labels.put(label.label(), label.format(traffic)));
    new TreeMap<>(changes.getOrDefault(metric, Map.of()))
        .forEach(
            (label, expression) ->
                expression.ifPresentOrElse(
                    value -> labels.put(label, "%CEL(" + value + ")%"),
                    () -> labels.remove(label)));
    return labels;
  }
}
