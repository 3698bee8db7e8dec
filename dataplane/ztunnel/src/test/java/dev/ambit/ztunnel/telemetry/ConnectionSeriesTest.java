package dev.ambit.ztunnel.telemetry;

import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The number of series stays bounded, and what is counted stays right. */
class ConnectionSeriesTest {
  private static final Duration IDLE = Duration.ofMinutes(10);

  private final MetricRegistry metrics = new MetricRegistry();
  private final AtomicLong now = new AtomicLong(-5); // nanoTime may begin anywhere
  private final AccessLog log = new AccessLog(LogFormat.TEXT, OutputStream.nullOutputStream());

  @AfterEach
  void close() throws InterruptedException {
    log.close();
  }

  private ConnectionTelemetry telemetry(int most) {
    return new ConnectionTelemetry(metrics, log, IDLE, most, now::get);
  }

  private static ConnectionInfo from(String workload) {
    MeshWorkload client = MeshWorkload.of(pod("shop", workload, "10.0.0.1").build());
    MeshWorkload server = MeshWorkload.of(pod("shop", "cart", "10.0.0.2").build());
    return new ConnectionInfo(
        Reporter.DESTINATION,
        socket("10.0.0.1", 43210),
        client,
        client.identity(),
        socket("10.0.0.2", 15008),
        "10.0.0.2:8080",
        new Endpoint(server, null),
        server.identity());
  }

  private void pass(Duration time) {
    now.addAndGet(time.toNanos());
  }

  private List<String> series(String name) {
    return metrics.scrape().lines().filter(line -> line.startsWith(name + "{")).toList();
  }

  private long value(String name) {
    return metrics
        .scrape()
        .lines()
        .filter(line -> line.startsWith(name + " "))
        .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
        .sum();
  }

  @Test
  void whatHasHadNoConnectionForLongIsDroppedWithAllItsSeries() {
    ConnectionTelemetry telemetry = telemetry(100);
    telemetry.opened(from("gone")).closed(1, 2, "broke", ResponseFlag.CONNECT_FAILED);
    telemetry.failed(from("gone"), "denied", ResponseFlag.DENIED);
    OpenConnection lasting = telemetry.opened(from("lasting"));

    pass(IDLE.minusSeconds(1));
    telemetry.dropIdle();
    assertThat(series("istio_tcp_connections_opened_total")).hasSize(2);

    pass(Duration.ofSeconds(2));
    telemetry.dropIdle();
    assertThat(metrics.scrape()).doesNotContain("\"gone\"");
    assertThat(series("istio_tcp_connections_opened_total"))
        .singleElement()
        .asString()
        .contains("source_workload=\"lasting\"");
    assertThat(value("ambit_metrics_label_sets")).isEqualTo(1);

    lasting.closed(10, 0, null, ResponseFlag.NONE);
    telemetry.dropIdle();
    assertThat(series("istio_tcp_received_bytes_total")).singleElement().asString().endsWith(" 10");
  }

  @Test
  void whatComesBackIsCountedAnew() {
    ConnectionTelemetry telemetry = telemetry(100);
    telemetry.opened(from("web")).closed(5, 0, null, ResponseFlag.NONE);
    pass(IDLE);
    telemetry.dropIdle();
    assertThat(series("istio_tcp_received_bytes_total")).isEmpty();
    telemetry.opened(from("web")).closed(7, 0, null, ResponseFlag.NONE);
    assertThat(series("istio_tcp_received_bytes_total")).singleElement().asString().endsWith(" 7");
  }

  @Test
  void beyondTheLimitConnectionsAreCountedTogether() {
    ConnectionTelemetry telemetry = telemetry(3);
    for (int i = 0; i < 50; i++) {
      telemetry.opened(from("job-" + i)).closed(1, 0, null, ResponseFlag.NONE);
    }
    assertThat(series("istio_tcp_connections_opened_total")).hasSize(4);
    assertThat(
            series("istio_tcp_connections_opened_total").stream()
                .filter(line -> line.contains("source_workload=\"unknown\"")))
        .singleElement()
        .asString()
        .contains("connection_security_policy=\"mutual_tls\"")
        .endsWith(" 47");
    assertThat(value("ambit_metrics_overflow_total")).isEqualTo(47);

    pass(IDLE);
    telemetry.dropIdle();
    telemetry.opened(from("job-50")).closed(1, 0, null, ResponseFlag.NONE);
    assertThat(series("istio_tcp_connections_opened_total"))
        .singleElement()
        .asString()
        .contains("job-50");
  }

  @Test
  void nothingIsLostWhileSeriesAreDropped() throws InterruptedException {
    ConnectionTelemetry telemetry =
        new ConnectionTelemetry(metrics, log, Duration.ofNanos(1), 100, System::nanoTime);
    AtomicLong counted = new AtomicLong();
    List<OpenConnection> open = new ArrayList<>();
    Thread sweeper =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!Thread.interrupted()) {
                    telemetry.dropIdle();
                  }
                });
    List<Thread> callers = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      callers.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    for (int n = 0; n < 20_000; n++) {
                      telemetry.opened(from("web")).closed(1, 0, null, ResponseFlag.NONE);
                      counted.incrementAndGet();
                    }
                  }));
    }
    for (Thread caller : callers) {
      caller.join();
    }
    sweeper.interrupt();
    sweeper.join();
    telemetry.dropIdle();
    assertThat(counted).hasValue(40_000);
    // A connection that is open holds its series, and counts in the one that is shown.
    open.add(telemetry.opened(from("web")));
    telemetry.dropIdle();
    open.add(telemetry.opened(from("web")));
    assertThat(series("istio_tcp_connections_opened_total"))
        .singleElement()
        .asString()
        .endsWith(" 2");
    open.forEach(connection -> connection.closed(0, 0, null, ResponseFlag.NONE));
  }
}
