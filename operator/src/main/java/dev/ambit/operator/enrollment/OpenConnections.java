package dev.ambit.operator.enrollment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.ConnectionPlan;
import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.enrollment.model.EnrolledPods;
import dev.ambit.operator.preflight.model.PodSockets;
import io.fabric8.kubernetes.api.model.Pod;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Counts the open connections of a namespace's pods, as their ztunnels and agents know them. */
public final class OpenConnections {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final NodeAnswers ztunnels;

  public OpenConnections(NodeAnswers ztunnels) {
    this.ztunnels = ztunnels;
  }

  private record Counts(long tunnelled, long plain) {}

  /**
   * Asks the ztunnels of the nodes where the namespace has pods in the mesh.
   *
   * @param sockets what the nodes' agents say of pods, by name
   */
  public ConnectionPlan count(EnrolledPods pods, Map<String, PodSockets> sockets, Instant now) {
    Set<String> nodes = new HashSet<>();
    Set<String> inside = new HashSet<>();
    for (Pod pod : pods.redirected()) {
      inside.add(pod.getMetadata().getName());
      nodes.add(String.valueOf(pod.getSpec().getNodeName()));
    }
    List<String> unknown = new ArrayList<>();
    long outside = 0;
    int unheard = 0;
    int told = 0;
    for (Pod pod : pods.capturable()) {
      String name = pod.getMetadata().getName();
      PodSockets known = sockets.get(name);
      if (inside.contains(name)) {
        continue;
      }
      if (known == null) {
        unheard++;
      } else {
        told++;
        outside += known.connections();
      }
    }
    if (unheard > 0) {
      unknown.add(unheard + " pods outside the mesh");
    }
    Set<String> heard = new HashSet<>();
    long tunnelled = 0;
    long plain = 0;
    for (Map.Entry<String, List<String>> node : ztunnels.ask(nodes, "/connections").entrySet()) {
      for (String answer : node.getValue()) {
        Counts counts = read(answer, pods.namespace());
        if (counts.tunnelled() >= 0) {
          heard.add(node.getKey());
          tunnelled += counts.tunnelled();
          plain += counts.plain();
        }
      }
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
        told > 0 || unheard == 0 ? outside : null,
        unknown);
  }

  private static Counts read(String answer, String of) {
    try {
      JsonNode namespaces = JSON.readTree(answer).path("namespaces");
      for (JsonNode namespace : namespaces) {
        if (of.equals(namespace.path("namespace").asText())) {
          return new Counts(namespace.path("tunnelled").asLong(), namespace.path("plain").asLong());
        }
      }
      return namespaces.isArray() ? new Counts(0, 0) : new Counts(-1, -1);
    } catch (IOException e) {
      return new Counts(-1, -1);
    }
  }
}
