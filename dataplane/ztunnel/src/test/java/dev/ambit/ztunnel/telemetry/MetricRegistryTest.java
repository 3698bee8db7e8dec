package dev.ambit.ztunnel.telemetry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.telemetry.MetricRegistry.Format;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Kind;
import dev.ambit.ztunnel.telemetry.MetricRegistry.Labels;
import java.util.List;
import org.junit.jupiter.api.Test;

class MetricRegistryTest {
  private final MetricRegistry metrics = new MetricRegistry();

  MetricRegistryTest() {
    metrics.family("a_total", "How many", Kind.COUNTER).counter(Labels.of("x", "1")).add(3);
    metrics.family("b", "How much", Kind.GAUGE).gauge(Labels.NONE, () -> 7);
    metrics.family("c_total", "Never counted", Kind.COUNTER);
  }

  @Test
  void prometheusFormat() {
    assertThat(metrics.scrape())
        .isEqualTo(
            """
            # HELP a_total How many
            # TYPE a_total counter
            a_total{x="1"} 3
            # HELP b How much
            # TYPE b gauge
            b 7
            """);
  }

  @Test
  void openMetricsFormat() {
    assertThat(metrics.scrape(Format.OPEN_METRICS))
        .isEqualTo(
            """
            # HELP a How many
            # TYPE a counter
            a_total{x="1"} 3
            # HELP b How much
            # TYPE b gauge
            b 7
            # EOF
            """);
  }

  @Test
  void theScraperChooses() {
    assertThat(Format.accepted(List.of())).isEqualTo(Format.PROMETHEUS);
    assertThat(Format.accepted(List.of("*/*"))).isEqualTo(Format.PROMETHEUS);
    assertThat(
            Format.accepted(
                List.of("application/openmetrics-text;version=1.0.0;q=0.5, text/plain;q=0.3")))
        .isEqualTo(Format.OPEN_METRICS);
    assertThat(Format.accepted(List.of("application/json", "Application/OpenMetrics-Text; other")))
        .isEqualTo(Format.OPEN_METRICS);
  }
}
