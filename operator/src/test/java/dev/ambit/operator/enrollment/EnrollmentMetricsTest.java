package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.Phase;
import dev.ambit.api.PodCounts;
import dev.ambit.api.Stage;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import org.junit.jupiter.api.Test;

class EnrollmentMetricsTest {
  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final EnrollmentMetrics metrics = new EnrollmentMetrics(registry);

  private List<String> lines(String name) {
    return registry.scrape().lines().filter(line -> line.startsWith(name + "{")).toList();
  }

  @Test
  void aNamespaceIsAtOneStageAndPhaseAndItsCountsAreThoseOfNow() {
    metrics.set("shop", Stage.NONE, Phase.CAPTURING, new PodCounts(3, 1, 0, 0, 0));
    metrics.set("bank", Stage.L4, Phase.DONE, new PodCounts(5, 5, 5, 0, 0));
    metrics.set("shop", Stage.L4, Phase.DONE, new PodCounts(3, 3, 2, 0, 0));
    assertThat(lines("ambit_enrollment_stage"))
        .containsExactlyInAnyOrder(
            "ambit_enrollment_stage{namespace=\"bank\",phase=\"Done\",stage=\"L4\"} 1.0",
            "ambit_enrollment_stage{namespace=\"shop\",phase=\"Done\",stage=\"L4\"} 1.0");
    assertThat(lines("ambit_enrollment_pods"))
        .contains("ambit_enrollment_pods{namespace=\"shop\",state=\"proven\"} 2.0")
        .hasSize(10);
  }

  @Test
  void whatIsNotEnrolledAnyMoreIsNotTold() {
    metrics.set("shop", Stage.L4, Phase.DONE, new PodCounts(3, 3, 3, 0, 0));
    metrics.set("bank", Stage.L4, Phase.DONE, new PodCounts(3, 3, 3, 0, 0));
    metrics.remove("shop");
    assertThat(lines("ambit_enrollment_stage")).hasSize(1);
    metrics.clear();
    assertThat(lines("ambit_enrollment_stage")).isEmpty();
    assertThat(lines("ambit_enrollment_pods")).isEmpty();
  }
}
