package dev.ambit.cli.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.PodNumber;
import dev.ambit.cli.output.Json;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** What is explained is what is decided, whatever the pod. */
class PodExplanationTest {
  @Provide
  Arbitrary<Map<String, String>> labels() {
    return Arbitraries.of("", "ambient", "none", "istio")
        .map(value -> value.isEmpty() ? Map.of() : Map.of(WellKnown.DATAPLANE_MODE, value));
  }

  @Provide
  Arbitrary<Optional<Integer>> cuts() {
    return Arbitraries.of(0, 500_000, PodNumber.ALL).optional();
  }

  @Property
  void exactly_one_rule_decides_and_it_says_what_the_decision_is(
      @ForAll("labels") Map<String, String> podLabels,
      @ForAll("labels") Map<String, String> namespaceLabels,
      @ForAll("cuts") Optional<Integer> cut,
      @ForAll boolean hostNetwork,
      @ForAll boolean sidecar,
      @ForAll boolean completed,
      @ForAll boolean excluded) {
    Map<String, Object> metadata =
        new HashMap<>(Map.of("name", "p", "namespace", "n", "labels", podLabels));
    if (sidecar) {
      metadata.put("annotations", Map.of(WellKnown.SIDECAR_STATUS, "{}"));
    }
    JsonNode pod =
        Json.tree(
            Map.of(
                "metadata",
                metadata,
                "spec",
                Map.of("hostNetwork", hostNetwork),
                "status",
                Map.of("phase", completed ? "Succeeded" : "Running")));
    var surroundings =
        PodExplanation.Surroundings.of(
            Json.tree(Map.of("metadata", Map.of("name", "n", "labels", namespaceLabels))),
            excluded ? Set.of("n") : Set.of(),
            cut
                .map(
                    released ->
                        Json.tree(
                            Map.of(
                                "metadata",
                                Map.of("name", "default", "namespace", "n"),
                                "status",
                                Map.of("inForce", Map.of("cut", released)))))
                .stream()
                .toList());
    CaptureDecision decision = PodExplanation.decision(pod, surroundings);
    PodExplanation explanation = PodExplanation.of(pod, surroundings, List.of(), List.of());
    List<String> deciding =
        explanation.rules().stream()
            .filter(PodExplanation.Rule::decides)
            .map(PodExplanation.Rule::rule)
            .toList();
    assertThat(deciding).hasSize(1);
    String expected =
        decision instanceof CaptureDecision.Excluded(var reason)
            ? switch (reason) {
              case EXCLUDED_NAMESPACE -> "namespace excluded";
              case COMPLETED -> "pod completed";
              case HOST_NETWORK -> "host network";
              case SIDECAR_INJECTED -> "sidecar";
              case OPTED_OUT -> "label of the pod";
              default -> "label";
            }
            : "";
    assertThat(deciding.getFirst()).contains(expected);
    assertThat(explanation.decision()).isEqualTo(decision.getClass().getSimpleName());
  }
}
