package dev.ambit.operator.health;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class HealthServerTest {
  @Test
  void saysWhetherItIsReadyAndWhyNot() throws Exception {
    var metrics = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    metrics.counter("ambit.test").increment();
    var readiness =
        new AtomicReference<Readiness>(new Readiness.NotReady("no certificate authority"));
    try (var server =
            new HealthServer(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                readiness::get,
                metrics);
        var client = HttpClient.newHttpClient()) {
      assertThat(get(client, server, "/healthz").statusCode()).isEqualTo(200);
      var notReady = get(client, server, "/readyz");
      assertThat(notReady.statusCode()).isEqualTo(503);
      assertThat(notReady.body()).contains("no certificate authority");
      readiness.set(new Readiness.Ready());
      assertThat(get(client, server, "/readyz").statusCode()).isEqualTo(200);
      assertThat(get(client, server, "/metrics").body()).contains("ambit_test_total 1.0");
      assertThat(get(client, server, "/healthz/x").statusCode()).isEqualTo(404);
    }
  }

  private static HttpResponse<String> get(HttpClient client, HealthServer server, String path)
      throws IOException, InterruptedException {
    return client.send(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.address().getPort() + path))
            .build(),
        BodyHandlers.ofString());
  }
}
