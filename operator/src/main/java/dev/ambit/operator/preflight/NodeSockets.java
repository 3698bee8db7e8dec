package dev.ambit.operator.preflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.operator.NodeCalls;
import dev.ambit.operator.preflight.model.PodSockets;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks nodes' agents for the sockets of a namespace's pods. */
final class NodeSockets {
  private static final Logger LOG = LoggerFactory.getLogger(NodeSockets.class);
  private static final ObjectMapper JSON = new ObjectMapper();

  /** An agent that does not answer is no reason to wait: what containers declare is known. */
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(2);

  private NodeSockets() {}

  /**
   * By name of the pod; those of nodes that do not answer are missing.
   *
   * @param agents where to ask, by node
   */
  static Map<String, PodSockets> of(String namespace, Map<String, URI> agents) {
    Map<String, PodSockets> sockets = new HashMap<>();
    List<NodeCalls.Call> calls = new ArrayList<>();
    agents.forEach(
        (node, base) ->
            calls.add(new NodeCalls.Call(node, base.resolve("/sockets?namespace=" + namespace))));
    NodeCalls.get(calls, ANSWERS_WITHIN)
        .forEach((node, answers) -> answers.forEach(answer -> read(node, answer, sockets)));
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
