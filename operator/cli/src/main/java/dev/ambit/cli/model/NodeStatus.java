package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;

/**
 * How a node's part of the mesh is.
 *
 * @param ztunnel the pod that serves the node, or empty
 */
public record NodeStatus(
    String node, String ztunnel, boolean ztunnelReady, String agent, boolean agentReady) {

  /** Each node's ztunnel and agent, by the pods of both. */
  public static List<NodeStatus> of(
      Collection<String> nodes, List<JsonNode> ztunnels, List<JsonNode> agents) {
    List<NodeStatus> statuses = new ArrayList<>();
    for (String node : new TreeSet<>(nodes)) {
      Optional<JsonNode> ztunnel = on(node, ztunnels);
      Optional<JsonNode> agent = on(node, agents);
      statuses.add(
          new NodeStatus(
              node,
              ztunnel.map(Objects::name).orElse(""),
              ztunnel.filter(Objects::isReady).isPresent(),
              agent.map(Objects::name).orElse(""),
              agent.filter(Objects::isReady).isPresent()));
    }
    return statuses;
  }

  /** A node's pod; of several, while one replaces the other, one that is ready. */
  public static Optional<JsonNode> on(String node, List<JsonNode> pods) {
    List<JsonNode> there =
        pods.stream().filter(pod -> node.equals(Objects.text(pod, "/spec/nodeName"))).toList();
    return there.stream().filter(Objects::isReady).findFirst().or(() -> there.stream().findFirst());
  }
}
