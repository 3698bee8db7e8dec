package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConnectionSeriesTest {
  @Test
  void aLineIsReadWithItsLabels() {
    var series =
        ConnectionSeries.parse(
                "istio_tcp_connections_failed_total{reporter=\"source\",source_workload_namespace=\"shop\",x=\"a\\\"}b\\\\\",destination_workload_namespace=\"bank\"} 1.2E3 1700000000")
            .orElseThrow();
    assertThat(series.failed()).isTrue();
    assertThat(series.value()).isEqualTo(1200);
    assertThat(series.labels()).containsEntry("x", "a\"}b\\");
    assertThat(series.concerns("shop")).isTrue();
    assertThat(series.concerns("bank")).isFalse();
  }

  @Test
  void theEndThatReportsIsTheOneThatCounts() {
    var series =
        ConnectionSeries.parse(
                "istio_tcp_connections_opened_total{reporter=\"destination\",source_workload_namespace=\"shop\",destination_workload_namespace=\"bank\"} 3")
            .orElseThrow();
    assertThat(series.failed()).isFalse();
    assertThat(series.concerns("bank")).isTrue();
    assertThat(series.concerns("shop")).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "# TYPE istio_tcp_connections_opened_total counter",
        "istio_tcp_sent_bytes_total{a=\"b\"} 1",
        "istio_tcp_connections_opened_total{a=\"b\"",
        "istio_tcp_connections_opened_total{a=\"b\"}",
        "istio_tcp_connections_opened_total{a=\"b\"} NaN",
        "istio_tcp_connections_opened_total{a} 1",
        "istio_tcp_connections_opened_total{a=\"b\"} -1",
      })
  void whatIsNoSuchLineIsNothing(String line) {
    assertThat(ConnectionSeries.parse(line)).isEmpty();
  }

  @Property
  void noLineIsTooOdd(@ForAll String rest) {
    assertThat(ConnectionSeries.parse("istio_tcp_connections_opened_total{" + rest)).isNotNull();
  }
}
