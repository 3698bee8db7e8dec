package dev.ambit.operator.enrollment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Counts the open connections of a namespace's pods, as their ztunnels know them. */
final class OpenConnections {
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(8);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Supplier<List<ZtunnelPods.Ztunnel>> ztunnels;

  OpenConnections(Supplier<List<ZtunnelPods.Ztunnel>> ztunnels) {
    this.ztunnels = ztunnels;
  }

  private record Counts(long tunnelled, long plain) {}

  /** Asks the ztunnels of the nodes where the namespace has pods, all at the same time. */
  ConnectionPlan count(EnrolledPods pods, Instant now) {
    Set<String> nodes = new HashSet<>();
    List<Pod> inside = pods.redirected();
    inside.forEach(pod -> nodes.add(String.valueOf(pod.getSpec().getNodeName())));
    List<String> unknown = new ArrayList<>();
    long outside = pods.capturable().stream().filter(pod -> !inside.contains(pod)).count();
    if (outside > 0) {
      unknown.add(outside + " pods outside the mesh");
    }
    Set<String> heard = new HashSet<>();
    long tunnelled = 0;
    long plain = 0;
    Map<ZtunnelPods.Ztunnel, CompletableFuture<HttpResponse<String>>> asked = new HashMap<>();
    try (HttpClient http = HttpClient.newBuilder().connectTimeout(ANSWERS_WITHIN).build()) {
      for (ZtunnelPods.Ztunnel ztunnel :
          nodes.isEmpty() ? List.<ZtunnelPods.Ztunnel>of() : list()) {
        if (nodes.contains(ztunnel.node())) {
          asked.put(
              ztunnel,
              http.sendAsync(
                      HttpRequest.newBuilder(ztunnel.base().resolve("/connections"))
                          .timeout(ANSWERS_WITHIN)
                          .build(),
                      HttpResponse.BodyHandlers.ofString())
                  .orTimeout(2 * ANSWERS_WITHIN.toMillis(), TimeUnit.MILLISECONDS));
        }
      }
      for (Map.Entry<ZtunnelPods.Ztunnel, CompletableFuture<HttpResponse<String>>> each :
          asked.entrySet()) {
        Counts counts = each.getValue().handle((answer, failure) -> read(answer, pods)).join();
        if (counts.tunnelled() >= 0) {
          heard.add(each.getKey().node());
          tunnelled += counts.tunnelled();
          plain += counts.plain();
        }
      }
      http.shutdownNow();
    }
    new TreeSet<>(nodes)
        .stream()
            .filter(node -> !heard.contains(node))
            .map(node -> "node " + node)
            .forEach(unknown::add);
    boolean known = !heard.isEmpty() || nodes.isEmpty();
    return new ConnectionPlan(
        now.truncatedTo(ChronoUnit.SECONDS).toString(),
        known ? tunnelled : null,
        known ? plain : null,
        unknown);
  }

  private List<ZtunnelPods.Ztunnel> list() {
    try {
      return ztunnels.get();
    } catch (KubernetesClientException e) {
      return List.of();
    }
  }

  private static Counts read(
      @org.jspecify.annotations.Nullable HttpResponse<String> answer, EnrolledPods pods) {
    if (answer == null || answer.statusCode() != 200) {
      return new Counts(-1, -1);
    }
    try {
      JsonNode namespaces = JSON.readTree(answer.body()).path("namespaces");
      for (JsonNode namespace : namespaces) {
        if (pods.namespace().equals(namespace.path("namespace").asText())) {
          return new Counts(namespace.path("tunnelled").asLong(), namespace.path("plain").asLong());
        }
      }
      return namespaces.isArray() ? new Counts(0, 0) : new Counts(-1, -1);
    } catch (IOException e) {
      return new Counts(-1, -1);
    }
  }
}
