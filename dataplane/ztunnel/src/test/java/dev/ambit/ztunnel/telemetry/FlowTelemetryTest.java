package dev.ambit.ztunnel.telemetry;

import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class FlowTelemetryTest {
  private final MetricRegistry metrics = new MetricRegistry();
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final AtomicLong now = new AtomicLong();

  private FlowTelemetry telemetry(AccessLog log, int most) {
    return new FlowTelemetry(metrics, log, Duration.ofNanos(100), most, now::get);
  }

  private static ConnectionInfo flow(String server) {
    MeshWorkload client = MeshWorkload.of(pod("shop", "web", "10.0.0.1").build());
    MeshWorkload target = MeshWorkload.of(pod("shop", server, "10.0.0.2").build());
    return new ConnectionInfo(
        Reporter.SOURCE,
        socket("10.0.0.1", 43210),
        client,
        client.identity(),
        socket("10.0.0.2", 15008),
        "10.0.0.2:53",
        new Endpoint(target, null),
        target.identity());
  }

  private List<String> series(String name) {
    return metrics.scrape().lines().filter(line -> line.startsWith(name)).toList();
  }

  @Test
  void countsAFlowWithTheLabelsOfTcpAndLogsItsEnd() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    FlowTelemetry telemetry = telemetry(log, 10);
    OpenFlow flow = telemetry.opened(flow("dns"));
    assertThat(series("ambit_udp_flows_open{reporter=\"source\"}").getFirst()).endsWith(" 1");
    flow.progress(new FlowCounts(2, 100, 1, 70, 0));
    flow.dropped(DropReason.TUNNEL_FULL, 3);
    flow.closed(new FlowCounts(4, 200, 3, 210, 3), null, ResponseFlag.NONE);
    flow.closed(new FlowCounts(9, 900, 9, 900, 9), null, ResponseFlag.NONE);
    log.close();

    assertThat(series("ambit_udp_received_bytes_total").getFirst())
        .contains("request_protocol=\"udp\"", "connection_security_policy=\"mutual_tls\"")
        .endsWith(" 200");
    assertThat(series("ambit_udp_sent_bytes_total").getFirst()).endsWith(" 210");
    assertThat(series("ambit_udp_received_datagrams_total").getFirst()).endsWith(" 4");
    assertThat(series("ambit_udp_sent_datagrams_total").getFirst()).endsWith(" 3");
    assertThat(series("ambit_udp_dropped_datagrams_total").getFirst())
        .contains("reason=\"tunnel_full\"")
        .endsWith(" 3");
    assertThat(series("ambit_udp_flows_closed_total").getFirst()).endsWith(" 1");
    assertThat(series("ambit_udp_flows_open{reporter=\"source\"}").getFirst()).endsWith(" 0");
    assertThat(out.toString(StandardCharsets.UTF_8).lines().toList())
        .singleElement()
        .asString()
        .contains(
            "UDP flow complete",
            "bytes_sent=200",
            "bytes_recv=210",
            "datagrams_sent=4",
            "datagrams_recv=3",
            "datagrams_dropped=3");
  }

  @Test
  void itsLabelsAreThoseOfAConnection() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    telemetry(log, 10).opened(flow("dns"));
    new ConnectionTelemetry(metrics, log, Duration.ofMinutes(1)).opened(flow("dns"));
    log.close();
    String ofFlow = series("ambit_udp_flows_opened_total").getFirst();
    String ofConnection = series("istio_tcp_connections_opened_total").getFirst();
    assertThat(ofFlow.substring(ofFlow.indexOf('{')))
        .isEqualTo(
            ofConnection
                .substring(ofConnection.indexOf('{'))
                .replace("request_protocol=\"tcp\"", "request_protocol=\"udp\""));
  }

  @Test
  void aRefusedFlowIsCountedByItsReason() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.JSON, out);
    FlowTelemetry telemetry = telemetry(log, 10);
    telemetry.failed(flow("dns"), "denied", ResponseFlag.DENIED);
    log.close();

    assertThat(series("ambit_udp_flows_failed_total").getFirst())
        .contains("response_flags=\"DENY\"")
        .endsWith(" 1");
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("UDP flow failed", "denied");
  }

  @Test
  void labelSetsAreBoundedAndThoseOfLongAgoDropped() throws InterruptedException {
    AccessLog log = new AccessLog(LogFormat.TEXT, out);
    FlowTelemetry telemetry = telemetry(log, 2);
    OpenFlow open = telemetry.opened(flow("one"));
    for (int i = 0; i < 10; i++) {
      telemetry.failed(flow("server-" + i), "gone", ResponseFlag.CONNECT_FAILED);
    }
    assertThat(series("ambit_udp_flows_failed_total")).hasSizeLessThanOrEqualTo(3);
    now.set(200);
    telemetry.dropIdle();
    assertThat(series("ambit_udp_flows_failed_total")).isEmpty();
    assertThat(series("ambit_udp_flows_opened_total")).hasSize(1);
    open.closed(FlowCounts.NONE, null, ResponseFlag.NONE);
    now.set(400);
    telemetry.dropIdle();
    assertThat(series("ambit_udp_flows_opened_total")).isEmpty();
    log.close();
  }
}
