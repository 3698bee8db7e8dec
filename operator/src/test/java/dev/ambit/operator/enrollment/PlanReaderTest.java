package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ConnectionPlan;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** When a plan's connections are counted, and when they are said anew. */
@EnableKubernetesMockClient(crud = true)
class PlanReaderTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final EnrolledPods PODS =
      new EnrolledPods("shop", Map.of(), Set.of(), List.of(), Map.of());

  @SuppressWarnings("NullAway.Init") // set by the extension
  private KubernetesClient client;

  @Test
  void whatIsStillSoIsNotSaidAgain() {
    PlanReader plans = new PlanReader(client, "ambit-system");
    ConnectionPlan before = new ConnectionPlan("2026-11-22T10:00:00Z", 7L, 0L, 0L, List.of());
    PlanReader.Counted first = plans.connections(null, before, PODS, Map.of(), NOW);
    assertThat(first.connections())
        .isEqualTo(new ConnectionPlan("2026-11-22T12:00:00Z", 0L, 0L, 0L, List.of()));

    Instant soon = NOW.plus(Duration.ofSeconds(30));
    assertThat(plans.connections(first, first.connections(), PODS, Map.of(), soon)).isSameAs(first);

    Instant later = NOW.plus(Duration.ofMinutes(2));
    PlanReader.Counted again = plans.connections(first, first.connections(), PODS, Map.of(), later);
    assertThat(again.at()).isEqualTo(later);
    assertThat(again.connections()).isEqualTo(first.connections());
  }
}
