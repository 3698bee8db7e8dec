package dev.ambit.operator.enrollment;

import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.NodeCalls;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Calls ztunnels at their pods' addresses, all at the same time. */
record CalledZtunnels(Supplier<List<ZtunnelPods.Ztunnel>> ztunnels) implements NodeAnswers {
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(8);

  @Override
  public Map<String, List<String>> ask(Set<String> nodes, String path) {
    if (nodes.isEmpty()) {
      return Map.of();
    }
    return NodeCalls.get(
        list().stream()
            .filter(ztunnel -> nodes.contains(ztunnel.node()))
            .map(ztunnel -> new NodeCalls.Call(ztunnel.node(), ztunnel.base().resolve(path)))
            .toList(),
        ANSWERS_WITHIN);
  }

  private List<ZtunnelPods.Ztunnel> list() {
    try {
      return ztunnels.get();
    } catch (KubernetesClientException e) {
      return List.of();
    }
  }
}
