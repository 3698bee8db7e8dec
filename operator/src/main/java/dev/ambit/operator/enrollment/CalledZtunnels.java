package dev.ambit.operator.enrollment;

import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Calls ztunnels at their pods' addresses, all at the same time. */
record CalledZtunnels(Supplier<List<ZtunnelPods.Ztunnel>> ztunnels) implements ZtunnelAnswers {
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(8);

  @Override
  public Map<String, List<String>> ask(Set<String> nodes, String path) {
    Map<String, List<String>> answers = new HashMap<>();
    if (nodes.isEmpty()) {
      return answers;
    }
    Map<ZtunnelPods.Ztunnel, CompletableFuture<HttpResponse<String>>> asked = new HashMap<>();
    try (HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build()) {
      for (ZtunnelPods.Ztunnel ztunnel : list()) {
        if (nodes.contains(ztunnel.node())) {
          asked.put(
              ztunnel,
              http.sendAsync(
                      HttpRequest.newBuilder(ztunnel.base().resolve(path))
                          .timeout(ANSWERS_WITHIN)
                          .build(),
                      HttpResponse.BodyHandlers.ofString())
                  .orTimeout(2 * ANSWERS_WITHIN.toMillis(), TimeUnit.MILLISECONDS));
        }
      }
      asked.forEach(
          (ztunnel, answer) -> {
            HttpResponse<String> response = answer.exceptionally(failure -> null).join();
            if (response != null && response.statusCode() == 200) {
              answers
                  .computeIfAbsent(ztunnel.node(), node -> new ArrayList<>())
                  .add(response.body());
            }
          });
      http.shutdownNow();
    }
    return answers;
  }

  private List<ZtunnelPods.Ztunnel> list() {
    try {
      return ztunnels.get();
    } catch (KubernetesClientException e) {
      return List.of();
    }
  }
}
