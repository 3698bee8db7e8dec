package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.operator.enrollment.ZtunnelAnswers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Asks nodes' ztunnels at their admin ports, all at the same time. */
record ForwardedZtunnels(AdminPort adminPort, Cluster cluster) implements ZtunnelAnswers {
  private static final int AT_ONCE = 8;

  @Override
  public Map<String, List<String>> ask(Set<String> nodes, String path) {
    Map<String, List<String>> answers = new HashMap<>();
    if (nodes.isEmpty()) {
      return answers;
    }
    Map<JsonNode, CompletableFuture<String>> asked = new HashMap<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(AT_ONCE)) {
      for (JsonNode pod : cluster.componentPods("ambit-ztunnel")) {
        if (nodes.contains(Objects.text(pod, "/spec/nodeName"))
            && Objects.text(pod, "/status/phase").equals("Running")) {
          asked.put(
              pod, CompletableFuture.supplyAsync(() -> answer(Objects.name(pod), path), executor));
        }
      }
    }
    asked.forEach(
        (pod, answer) -> {
          String text = answer.join();
          if (!text.isEmpty()) {
            answers
                .computeIfAbsent(Objects.text(pod, "/spec/nodeName"), node -> new ArrayList<>())
                .add(text);
          }
        });
    return answers;
  }

  /** Empty where there is none. */
  private String answer(String pod, String path) {
    try {
      return adminPort.get(cluster.client(), cluster.rootNamespace(), pod, path);
    } catch (IOException e) {
      return "";
    }
  }
}
