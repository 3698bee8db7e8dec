package dev.ambit.ztunnel.telemetry;

import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class ConnectionTelemetryTest {
  private final MetricRegistry metrics = new MetricRegistry();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  private static ConnectionInfo tunnel(Reporter reporter) {
    MeshWorkload client = MeshWorkload.of(pod("shop", "web", "10.0.0.1").build());
    MeshWorkload server = MeshWorkload.of(pod("shop", "cart", "10.0.0.2").build());
    MeshService service = MeshService.of(service("shop", "cart", "10.96.0.1").build());
    return new ConnectionInfo(
        reporter,
        socket("10.0.0.1", 43210),
        client,
        client.identity(),
        socket("10.0.0.2", 15008),
        "10.0.0.2:8080",
        new Endpoint(server, service),
        server.identity());
  }

  private ConnectionTelemetry telemetry(AccessLog log) {
    return new ConnectionTelemetry(metrics, log, Duration.ofHours(1));
  }

  private List<String> lines() throws InterruptedException {
    return out.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private List<String> series(String name) {
    return metrics.scrape().lines().filter(line -> line.startsWith(name)).toList();
  }

  @Test
  void countsUnderIstiosNamesAndLabels() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    ConnectionTelemetry telemetry = telemetry(log);
    OpenConnection connection = telemetry.opened(tunnel(Reporter.SOURCE));
    assertThat(series("istio_tcp_sockets_open{reporter=\"source\"}").getFirst()).endsWith(" 1");
    connection.progress(10, 1000);
    assertThat(series("istio_tcp_sent_bytes_total").getFirst()).endsWith(" 1000");
    connection.progress(20, 3000);
    connection.closed(30, 4000, null, ResponseFlag.NONE);
    connection.closed(99, 9999, "twice", ResponseFlag.DENIED);
    log.close();

    assertThat(series("istio_tcp_connections_opened_total"))
        .containsExactly(
            "istio_tcp_connections_opened_total{reporter=\"source\",source_workload=\"web\","
                + "source_canonical_service=\"web\",source_canonical_revision=\"v1\","
                + "source_workload_namespace=\"shop\","
                + "source_principal=\"spiffe://cluster.local/ns/shop/sa/web\","
                + "source_app=\"web\",source_version=\"v1\",source_cluster=\"Kubernetes\","
                + "destination_workload=\"cart\",destination_canonical_service=\"cart\","
                + "destination_canonical_revision=\"v1\","
                + "destination_workload_namespace=\"shop\","
                + "destination_principal=\"spiffe://cluster.local/ns/shop/sa/cart\","
                + "destination_app=\"cart\",destination_version=\"v1\","
                + "destination_cluster=\"Kubernetes\","
                + "destination_service=\"cart.shop.svc.cluster.local\","
                + "destination_service_namespace=\"shop\",destination_service_name=\"cart\","
                + "request_protocol=\"tcp\",response_flags=\"-\","
                + "connection_security_policy=\"mutual_tls\",source_region=\"unknown\","
                + "source_zone=\"unknown\",destination_region=\"unknown\","
                + "destination_zone=\"unknown\"} 1");
    assertThat(series("istio_tcp_connections_closed_total").getFirst()).endsWith(" 1");
    assertThat(series("istio_tcp_received_bytes_total").getFirst()).endsWith(" 30");
    assertThat(series("istio_tcp_sent_bytes_total").getFirst()).endsWith(" 4000");
    assertThat(series("istio_tcp_sockets_open{reporter=\"source\"}").getFirst()).endsWith(" 0");
    assertThat(series("istio_tcp_connections_failed_total")).isEmpty();
  }

  @Test
  void connectionsOfOneShapeAreOneSeries() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    ConnectionTelemetry telemetry = telemetry(log);
    for (int i = 0; i < 3; i++) {
      telemetry.opened(tunnel(Reporter.SOURCE)).closed(1, 1, null, ResponseFlag.NONE);
    }
    telemetry.opened(tunnel(Reporter.DESTINATION)).closed(1, 1, null, ResponseFlag.NONE);
    log.close();
    assertThat(series("istio_tcp_connections_opened_total")).hasSize(2);
    assertThat(lines()).hasSize(4);
  }

  @Test
  void theAccessLogHasIstiosFields() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    telemetry(log).opened(tunnel(Reporter.DESTINATION)).closed(84, 358, null, ResponseFlag.NONE);
    log.close();
    assertThat(lines().getFirst())
        .matches(
            "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\tinfo\taccess\t"
                + "connection complete "
                + "src.addr=10.0.0.1:43210 src.workload=\"web\" src.namespace=\"shop\" "
                + "src.identity=\"spiffe://cluster.local/ns/shop/sa/web\" "
                + "src.cluster=\"Kubernetes\" dst.addr=10.0.0.2:15008 "
                + "dst.hbone_addr=10.0.0.2:8080 "
                + "dst.service=\"cart.shop.svc.cluster.local\" dst.workload=\"cart\" "
                + "dst.namespace=\"shop\" "
                + "dst.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" "
                + "dst.cluster=\"Kubernetes\" direction=\"inbound\" bytes_sent=84 "
                + "bytes_recv=358 duration=\"\\d+ms\"");
  }

  @Test
  void aFailureIsCountedAndLoggedWithItsReason() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.JSON, out);
    ConnectionTelemetry telemetry = telemetry(log);
    ConnectionInfo plain =
        new ConnectionInfo(
            Reporter.DESTINATION,
            socket("fd00::1", 1),
            null,
            null,
            socket("fd00::2", 80),
            null,
            Endpoint.UNKNOWN,
            null);
    telemetry.failed(plain, "denied by policy \"shop/x\"\nand more", ResponseFlag.DENIED);
    log.close();
    assertThat(series("istio_tcp_connections_failed_total").getFirst())
        .contains("response_flags=\"DENY\"")
        .contains("connection_security_policy=\"unknown\"")
        .endsWith(" 1");
    assertThat(
            series(
                    "ambit_connections_early_failed_total{reporter=\"destination\","
                        + "response_flags=\"DENY\"}")
                .getFirst())
        .endsWith(" 1");
    assertThat(lines()).hasSize(1);
    assertThat(lines().getFirst())
        .startsWith("{\"level\":\"warn\",\"time\":\"")
        .contains("\"scope\":\"access\",\"message\":\"connection failed\"")
        .contains("\"src.addr\":\"[fd00::1]:1\"")
        .contains("\"direction\":\"inbound\"")
        .endsWith("\"error\":\"denied by policy \\\"shop/x\\\"\\nand more\"}");
  }

  @Test
  void aTextLineCannotBeForged() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    ConnectionInfo info = tunnel(Reporter.SOURCE);
    telemetry(log)
        .opened(
            new ConnectionInfo(
                info.reporter(),
                info.source(),
                null,
                new Identity("td", "ns", "x\ny"),
                info.destination(),
                "evil:80\nforged line",
                Endpoint.UNKNOWN,
                null))
        .closed(0, 0, "a\nb", ResponseFlag.NONE);
    log.close();
    assertThat(lines()).hasSize(1);
  }

  @Test
  void aSlowReaderCostsLinesNotTime() throws InterruptedException {
    CountDownLatch gate = new CountDownLatch(1);
    OutputStream stuck =
        new OutputStream() {
          @Override
          public void write(int b) {}

          @Override
          public void write(byte[] bytes, int from, int length) {
            try {
              gate.await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
          }
        };
    AccessLog log = new AccessLog(LogFormat.TEXT, stuck);
    ConnectionTelemetry telemetry = telemetry(log);
    for (int i = 0; i < 20_000; i++) {
      telemetry.opened(tunnel(Reporter.SOURCE)).closed(0, 0, null, ResponseFlag.NONE);
    }
    assertThat(log.dropped()).isPositive();
    String shown = series("ambit_access_log_dropped_total").getFirst();
    assertThat(shown).endsWith(" " + log.dropped());
    gate.countDown();
    log.close();
  }

  @Test
  void labelValuesAreEscaped() {
    assertThat(MetricRegistry.Labels.of("a", "x\"y\\z\n").text())
        .isEqualTo("{a=\"x\\\"y\\\\z\\n\"}");
  }
}
