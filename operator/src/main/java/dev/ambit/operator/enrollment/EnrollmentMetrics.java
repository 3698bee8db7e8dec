package dev.ambit.operator.enrollment;

import dev.ambit.api.Phase;
import dev.ambit.api.PodCounts;
import dev.ambit.api.Stage;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Gauges of where each enrolled namespace is and how many of its pods are captured. */
public final class EnrollmentMetrics {
  private final MultiGauge stage;
  private final MultiGauge pods;
  private final Map<String, Row> rows = new TreeMap<>();

  private record Row(Stage stage, Phase phase, PodCounts counts) {}

  public EnrollmentMetrics(MeterRegistry registry) {
    stage =
        MultiGauge.builder("ambit.enrollment.stage")
            .description("1 for the stage and phase that an enrolled namespace is at")
            .register(registry);
    pods =
        MultiGauge.builder("ambit.enrollment.pods")
            .description("Pods of an enrolled namespace: all, captured, proven, held and excluded")
            .register(registry);
  }

  /** Sets a namespace's row. */
  public synchronized void set(String namespace, Stage at, Phase phase, PodCounts counts) {
    Row row = new Row(at, phase, counts);
    if (!row.equals(rows.put(namespace, row))) {
      publish();
    }
  }

  /** Takes a namespace out that is enrolled no longer. */
  public synchronized void remove(String namespace) {
    if (rows.remove(namespace) != null) {
      publish();
    }
  }

  /** Takes all out: another replica leads, and tells of them. */
  public synchronized void clear() {
    rows.clear();
    publish();
  }

  private void publish() {
    List<MultiGauge.Row<?>> stages = new ArrayList<>();
    List<MultiGauge.Row<?>> counts = new ArrayList<>();
    rows.forEach(
        (namespace, row) -> {
          stages.add(
              MultiGauge.Row.of(
                  Tags.of(
                      "namespace",
                      namespace,
                      "stage",
                      row.stage().text(),
                      "phase",
                      row.phase().text()),
                  1));
          counts.add(count(namespace, "total", row.counts().total()));
          counts.add(count(namespace, "captured", row.counts().captured()));
          counts.add(count(namespace, "proven", row.counts().proven()));
          counts.add(count(namespace, "held", row.counts().held()));
          counts.add(count(namespace, "excluded", row.counts().excluded()));
        });
    stage.register(stages, true);
    pods.register(counts, true);
  }

  private static MultiGauge.Row<Number> count(String namespace, String state, int value) {
    return MultiGauge.Row.of(Tags.of("namespace", namespace, "state", state), value);
  }
}
