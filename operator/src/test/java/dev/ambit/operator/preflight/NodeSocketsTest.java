package dev.ambit.operator.preflight;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.NodeCalls;
import dev.ambit.operator.preflight.model.PodSockets;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What agents say of sockets, and that those that say nothing are done without. */
class NodeSocketsTest {
  private final List<HttpServer> agents = new ArrayList<>();
  private final List<String> asked = new ArrayList<>();

  @AfterEach
  void stop() {
    agents.forEach(agent -> agent.stop(0));
  }

  private URI agent(int status, String answer) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          synchronized (asked) {
            asked.add(String.valueOf(exchange.getRequestURI()));
          }
          byte[] body = answer.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    agents.add(server);
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort());
  }

  @Test
  void socketsAreThoseOfThePodsThatAgentsName() throws IOException {
    Map<String, URI> nodes =
        Map.of(
            "one",
            agent(
                200,
                """
                {"pods": [{"name": "cart", "connections": 7, "tcp": [80, 8080], "udp": []},
                          {"name": "game", "connections": 0, "tcp": [], "udp": [7000]}]}
                """),
            "garbled",
            agent(200, "{"),
            "older",
            agent(404, "no such page"),
            "gone",
            URI.create("http://127.0.0.1:1"));
    NodeAnswers agents =
        (asked, path) ->
            NodeCalls.get(
                nodes.entrySet().stream()
                    .filter(node -> asked.contains(node.getKey()))
                    .map(node -> new NodeCalls.Call(node.getKey(), node.getValue().resolve(path)))
                    .toList(),
                Duration.ofSeconds(20));
    assertThat(NodeSockets.of("shop", nodes.keySet(), agents))
        .containsOnly(
            Map.entry("cart", new PodSockets(Set.of(80, 8080), Set.of(), 7)),
            Map.entry("game", new PodSockets(Set.of(), Set.of(7000), 0)));
    assertThat(asked).containsOnly("/sockets?namespace=shop");
  }
}
