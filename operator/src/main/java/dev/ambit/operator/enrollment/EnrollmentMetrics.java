package dev.ambit.operator.enrollment;

import dev.ambit.api.Phase;
import dev.ambit.api.PodCounts;
import dev.ambit.api.Stage;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToIntFunction;

/**
 * Gauges of where each enrolled namespace is and how many of its pods are captured. A change
 * touches the gauges of its own namespace alone: in a fleet there are many of both.
 */
public final class EnrollmentMetrics {
  private final MeterRegistry registry;
  private final Map<String, Row> rows = new TreeMap<>();

  /** What is told of a namespace; the counts change in place. */
  private static final class Row {
    private final List<Meter> pods = new ArrayList<>();
    private Stage at;
    private Phase phase;
    private volatile PodCounts counts;
    private Meter stage;

    Row(Stage at, Phase phase, PodCounts counts, Meter stage) {
      this.at = at;
      this.phase = phase;
      this.counts = counts;
      this.stage = stage;
    }
  }

  public EnrollmentMetrics(MeterRegistry registry) {
    this.registry = registry;
  }

  /** Sets a namespace's row. */
  public synchronized void set(String namespace, Stage at, Phase phase, PodCounts counts) {
    Row row = rows.get(namespace);
    if (row == null) {
      Row made = new Row(at, phase, counts, stage(namespace, at, phase));
      made.pods.add(count(namespace, "total", made, PodCounts::total));
      made.pods.add(count(namespace, "captured", made, PodCounts::captured));
      made.pods.add(count(namespace, "proven", made, PodCounts::proven));
      made.pods.add(count(namespace, "held", made, PodCounts::held));
      made.pods.add(count(namespace, "excluded", made, PodCounts::excluded));
      rows.put(namespace, made);
      return;
    }
    row.counts = counts;
    if (row.at != at || row.phase != phase) {
      registry.remove(row.stage);
      row.at = at;
      row.phase = phase;
      row.stage = stage(namespace, at, phase);
    }
  }

  /** Takes a namespace out that is enrolled no longer. */
  public synchronized void remove(String namespace) {
    Row row = rows.remove(namespace);
    if (row != null) {
      forget(row);
    }
  }

  /** Takes all out: another replica leads, and tells of them. */
  public synchronized void clear() {
    rows.values().forEach(this::forget);
    rows.clear();
  }

  private void forget(Row row) {
    registry.remove(row.stage);
    row.pods.forEach(registry::remove);
  }

  private Meter stage(String namespace, Stage at, Phase phase) {
    return Gauge.builder("ambit.enrollment.stage", () -> 1)
        .description("1 for the stage and phase that an enrolled namespace is at")
        .tags("namespace", namespace, "stage", at.text(), "phase", phase.text())
        .register(registry);
  }

  private Meter count(String namespace, String state, Row row, ToIntFunction<PodCounts> value) {
    return Gauge.builder("ambit.enrollment.pods", row, of -> value.applyAsInt(of.counts))
        .description("Pods of an enrolled namespace: all, captured, proven, held and excluded")
        .tags("namespace", namespace, "state", state)
        .strongReference(true)
        .register(registry);
  }
}
