package dev.ambit.operator.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.preflight.model.PodSockets;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks nodes' agents for the sockets of a namespace's pods. */
final class NodeSockets {
  private static final Logger LOG = LoggerFactory.getLogger(NodeSockets.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  private NodeSockets() {}

  /**
   * By name of the pod; those of nodes that do not answer are missing.
   *
   * @param agents how they are asked
   */
  static Map<String, PodSockets> of(String namespace, Set<String> nodes, NodeAnswers agents) {
    Map<String, PodSockets> sockets = new HashMap<>();
    if (!nodes.isEmpty()) {
      agents
          .ask(nodes, "/sockets?namespace=" + namespace)
          .forEach((node, answers) -> answers.forEach(answer -> read(node, answer, sockets)));
    }
    return sockets;
  }

  private static void read(String node, String answer, Map<String, PodSockets> into) {
    try {
      for (JsonNode pod : JSON.readTree(answer).path("pods")) {
        into.put(
            pod.path("name").asText(),
            new PodSockets(
                ports(pod.path("tcp")), ports(pod.path("udp")), pod.path("connections").asLong()));
      }
    } catch (IOException e) {
      LOG.atWarn()
          .addKeyValue("node", node)
          .addKeyValue("reason", e.getMessage())
          .log("cannot read what an agent says of its pods' sockets");
    }
  }

  private static Set<Integer> ports(JsonNode array) {
    Set<Integer> ports = new HashSet<>();
    array.forEach(port -> ports.add(port.asInt()));
    return ports;
  }
}
