package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.ambit.operator.enrollment.model.PlaintextSightings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ZtunnelLedgersTest {
  private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
  private static final String LEDGER =
      """
      {"instance": "%s", "namespaces": [{"namespace": "shop",
        "pods": [{"uid": "a", "since": "2026-11-22T11:00:00Z", "watchedMillis": 60000,
                  "datagrams": true}],
        "connections": 5, "open": 1, "bytes": 70, "agoMillis": 0,
        "senders": [
          {"namespace": "legacy", "kind": "deployment", "workload": "caller", "address": "",
           "destination": "web", "port": 8080, "protocol": "tcp",
           "connections": 4, "open": 1, "bytes": 70, "agoMillis": 0},
          {"namespace": "", "kind": "", "workload": "", "address": "192.0.2.1",
           "destination": "web", "port": 53, "protocol": "udp",
           "connections": 1, "open": 0, "bytes": 0, "agoMillis": 5000}]}]}
      """;

  private final List<HttpServer> servers = new ArrayList<>();
  private final List<ZtunnelPods.Ztunnel> ztunnels = new ArrayList<>();
  private final ZtunnelLedgers ledgers = new ZtunnelLedgers(() -> List.copyOf(ztunnels), () -> NOW);

  @AfterEach
  void stop() {
    ledgers.close();
    servers.forEach(server -> server.stop(0));
  }

  private void ztunnel(String node, int status, String body) throws IOException {
    ztunnel(node, status, body, true);
  }

  private void ztunnel(String node, int status, String body, boolean ready) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/plaintext",
        exchange -> {
          byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(status, bytes.length);
          exchange.getResponseBody().write(bytes);
          exchange.close();
        });
    server.start();
    servers.add(server);
    ztunnels.add(
        new ZtunnelPods.Ztunnel(
            "uid-" + node,
            node,
            URI.create("http://127.0.0.1:" + server.getAddress().getPort()),
            ready));
  }

  private PlaintextSightings sightings() {
    await().atMost(Duration.ofSeconds(30)).until(() -> ledgers.of("shop", Set.of()).at() != null);
    return ledgers.of("shop", Set.of());
  }

  @Test
  void nothingIsKnownBeforeTheyAreAsked() throws IOException {
    ztunnel("one", 200, LEDGER.formatted("run-1"));
    assertThat(ledgers.of("shop", Set.of())).isEqualTo(PlaintextSightings.NOT_ASKED);
  }

  @Test
  void whatTheyTellIsToldByTheOperatorsClock() throws IOException {
    ztunnel("one", 200, LEDGER.formatted("run-1"));
    ztunnel("two", 200, "{\"instance\": \"run-2\", \"namespaces\": []}");
    PlaintextSightings sightings = sightings();
    assertThat(sightings.unheard()).isEmpty();
    assertThat(sightings.instances()).containsExactlyInAnyOrder("run-1", "run-2");
    assertThat(sightings.reports())
        .singleElement()
        .satisfies(
            report -> {
              assertThat(report.instance()).isEqualTo("run-1");
              assertThat(report.last()).isEqualTo(NOW);
              assertThat(report.connections()).isEqualTo(5);
              assertThat(report.pods())
                  .hasEntrySatisfying(
                      "a",
                      watched -> {
                        assertThat(watched.since()).isEqualTo(NOW.minusSeconds(60));
                        assertThat(watched.from()).isEqualTo(Instant.parse("2026-11-22T11:00:00Z"));
                        assertThat(watched.datagrams()).isTrue();
                      });
              assertThat(report.senders().get(0).from()).isEqualTo("deployment legacy/caller");
              assertThat(report.senders().get(1).from()).isEqualTo("192.0.2.1");
              assertThat(report.senders().get(1).bytes()).isNull();
              assertThat(report.senders().get(1).last()).isEqualTo(NOW.minusSeconds(5).toString());
            });
  }

  @Test
  void oneThatDoesNotAnswerOrNotAsAZtunnelIsNamed() throws IOException {
    ztunnel("good", 200, LEDGER.formatted("run-1"));
    ztunnel("other", 404, "not found");
    ztunnel("odd", 200, "{\"namespaces\": 7}");
    ztunnel("none", 200, "<html>");
    PlaintextSightings sightings = sightings();
    assertThat(sightings.unheard()).containsExactly("none", "odd", "other");
    assertThat(sightings.instances()).containsExactly("run-1");
  }

  @Test
  void oneOfANodeThatIsGoneIsNamedToNamespacesWithPodsThereAlone() throws IOException {
    ztunnel("good", 200, LEDGER.formatted("run-1"));
    ztunnel("gone", 503, "", false);
    assertThat(sightings().unheard()).isEmpty();
    assertThat(ledgers.of("shop", Set.of("gone")).unheard()).containsExactly("gone");
  }
}
