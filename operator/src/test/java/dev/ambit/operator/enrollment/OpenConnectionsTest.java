package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ConnectionPlan;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.preflight.model.PodSockets;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Whose open connections are counted, and whose are not known. */
class OpenConnectionsTest {
  private static final Instant NOW = Instant.parse("2026-11-30T12:00:00Z");

  private static Pod pod(String name, Map<String, String> annotations) {
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace("shop")
        .withName(name)
        .withUid(name)
        .withAnnotations(annotations)
        .endMetadata()
        .withNewSpec()
        .withNodeName("node-1")
        .endSpec()
        .withNewStatus()
        .withPhase("Running")
        .withPodIP("10.0.0.1")
        .addNewPodIP("10.0.0.1")
        .endStatus()
        .build();
  }

  private static ConnectionPlan count(Map<String, PodSockets> sockets, Pod... pods) {
    EnrolledPods enrolled = new EnrolledPods("shop", Map.of(), Set.of(), List.of(pods), Map.of());
    return new OpenConnections(
            (nodes, path) ->
                Map.of(
                    "node-1",
                    List.of(
                        "{\"namespaces\": [{\"namespace\": \"shop\", \"tunnelled\": 4, \"plain\": 1}]}")))
        .count(enrolled, sockets, NOW);
  }

  @Test
  void connectionsOfPodsOutsideAreWhatTheirAgentsSay() {
    Pod inside = pod("in", Map.of("ambient.istio.io/redirection", "enabled"));
    Map<String, PodSockets> sockets =
        Map.of(
            "in", new PodSockets(Set.of(), Set.of(), 100),
            "a", new PodSockets(Set.of(), Set.of(), 5),
            "b", new PodSockets(Set.of(), Set.of(), 2));
    assertThat(count(sockets, inside, pod("a", Map.of()), pod("b", Map.of())))
        .isEqualTo(new ConnectionPlan("2026-11-30T12:00:00Z", 4L, 1L, 7L, List.of()));
    assertThat(count(sockets, inside, pod("a", Map.of()), pod("c", Map.of())))
        .isEqualTo(
            new ConnectionPlan(
                "2026-11-30T12:00:00Z", 4L, 1L, 5L, List.of("1 pods outside the mesh")));
    assertThat(count(Map.of(), pod("c", Map.of())).outside()).isNull();
  }
}
