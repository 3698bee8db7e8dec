package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.operator.NodeAnswers;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Asks what runs on nodes, all at the same time.
 *
 * @param component the DaemonSet
 * @param port where its pods answer at their loopback
 */
record ForwardedNodes(AdminPort adminPort, Cluster cluster, String component, int port)
    implements NodeAnswers {
  private static final int AT_ONCE = 8;

  static ForwardedNodes ztunnels(AdminPort adminPort, Cluster cluster) {
    return new ForwardedNodes(adminPort, cluster, "ambit-ztunnel", AdminPort.ZTUNNELS);
  }

  static ForwardedNodes agents(AdminPort adminPort, Cluster cluster) {
    return new ForwardedNodes(adminPort, cluster, "ambit-agent", AdminPort.AGENTS);
  }

  @Override
  public Map<String, List<String>> ask(Set<String> nodes, String path) {
    Map<String, List<String>> answers = new HashMap<>();
    if (nodes.isEmpty()) {
      return answers;
    }
    Map<JsonNode, CompletableFuture<String>> asked = new HashMap<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(AT_ONCE)) {
      for (JsonNode pod : cluster.componentPods(component)) {
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
      return adminPort.get(cluster.client(), cluster.rootNamespace(), pod, port, path);
    } catch (IOException e) {
      return "";
    }
  }
}
