package dev.ambit.operator.enrollment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.ambit.operator.enrollment.model.Traffic;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class ZtunnelMetricsTest {
  private final List<ZtunnelPods.Ztunnel> ztunnels = new ArrayList<>();
  private final ZtunnelMetrics metrics = new ZtunnelMetrics(() -> List.copyOf(ztunnels));
  private HttpServer server;
  private volatile String text = "";

  @BeforeEach
  void serve() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/metrics",
        exchange -> {
          byte[] body = text.getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body);
          exchange.close();
        });
    server.start();
    ztunnels.add(ztunnel("one", server.getAddress().getPort()));
  }

  @AfterEach
  void close() {
    metrics.close();
    server.stop(0);
  }

  private static ZtunnelPods.Ztunnel ztunnel(String uid, int port) {
    return new ZtunnelPods.Ztunnel(
        uid, "node-of-" + uid, URI.create("http://127.0.0.1:" + port), true);
  }

  private static String counters(int opened, int failed) {
    return """
    # HELP
    istio_tcp_connections_opened_total{reporter="source",source_workload_namespace="shop",destination_workload="a"} %d
    istio_tcp_connections_opened_total{reporter="source",source_workload_namespace="bank"} 1000
    istio_tcp_connections_failed_total{reporter="destination",destination_workload_namespace="shop",response_flags="DENY"} %d
    """
        .formatted(opened, failed);
  }

  /** Lets the first look, which is what all others are compared with, happen. */
  private void begin() {
    assertThat(metrics.since("shop", Set.of()).unheard()).isNotEmpty();
    await().until(() -> metrics.since("shop", Set.of()).unheard().isEmpty());
  }

  @Test
  void onlyWhatIsNewSinceTheLastQuestionCounts() {
    text = counters(100, 7);
    begin();
    assertThat(metrics.since("shop", Set.of())).isEqualTo(Traffic.NONE);
    text = counters(110, 9);
    metrics.look();
    Traffic told = metrics.since("shop", Set.of());
    assertThat(told).isEqualTo(new Traffic(12, 2, List.of()));
    assertThat(metrics.since("shop", Set.of())).as("not written down").isEqualTo(told);
    metrics.kept("shop", told);
    assertThat(metrics.since("shop", Set.of())).isEqualTo(Traffic.NONE);
    // Dropped, and come back.
    text = counters(3, 9);
    metrics.look();
    assertThat(metrics.since("shop", Set.of())).isEqualTo(new Traffic(3, 0, List.of()));
  }

  @Test
  void aZtunnelThatDoesNotAnswerIsNamed() {
    text = counters(1, 1);
    begin();
    server.stop(0);
    metrics.look();
    assertThat(metrics.since("shop", Set.of()).unheard()).containsExactly("node-of-one");
  }

  @Test
  void oneOfANodeThatIsGoneMattersToNamespacesWithPodsThereAlone() {
    text = counters(1, 1);
    ztunnels.add(new ZtunnelPods.Ztunnel("two", "gone", URI.create("http://127.0.0.1:1"), false));
    begin();
    assertThat(metrics.since("shop", Set.of("node-of-one")).unheard()).isEmpty();
    assertThat(metrics.since("shop", Set.of("gone")).unheard()).containsExactly("gone");
  }

  /** Each is slow, and all together would take a minute one after the other. */
  @Test
  void manyAreAskedAtTheSameTime() throws IOException {
    HttpServer slow =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    CountDownLatch asked = new CountDownLatch(8);
    slow.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    slow.createContext(
        "/metrics",
        exchange -> {
          asked.countDown();
          boolean all;
          try {
            all = asked.await(3, TimeUnit.SECONDS);
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
          exchange.sendResponseHeaders(all ? 200 : 500, -1);
          exchange.close();
        });
    slow.start();
    try {
      ztunnels.clear();
      for (int i = 0; i < 8; i++) {
        ztunnels.add(ztunnel("slow-" + i, slow.getAddress().getPort()));
      }
      begin();
    } finally {
      slow.stop(0);
    }
  }

  @Test
  void aNamespaceThatIsForgottenBeginsAnew() {
    text = counters(1, 1);
    begin();
    text = counters(50, 50);
    metrics.look();
    metrics.forget("shop");
    begin();
    assertThat(metrics.since("shop", Set.of())).isEqualTo(Traffic.NONE);
  }
}
