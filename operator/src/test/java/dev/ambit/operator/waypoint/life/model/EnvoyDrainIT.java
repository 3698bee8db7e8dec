package dev.ambit.operator.waypoint.life.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An Envoy that is asked to end, as the kubelet asks it. */
class EnvoyDrainIT {
  private static final String UID = "7f9c24e8-3b12-4c5d-9e6f-0123456789ab";
  private static final Duration SOON = Duration.ofSeconds(20);

  private static final String TRAFFIC =
      """
      admin: {address: {pipe: {path: "${admin}"}}}
      static_resources:
        clusters:
        - name: admin
          type: STATIC
          load_assignment:
            cluster_name: admin
            endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: "${admin}"}}}}]}]
        listeners:
        - name: traffic
          address: {socket_address: {address: 127.0.0.1, port_value: ${traffic}}}
          filter_chains:
          - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: connect_terminate
                route_config:
                  virtual_hosts:
                  - name: all
                    domains: ["*"]
                    routes:
                    - {match: {path: /ready}, route: {cluster: admin}}
                    - {match: {prefix: /}, direct_response: {status: 200}}
                http_filters:
                - name: envoy.filters.http.fault
                  typed_config:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
                    delay: {header_delay: {}, percentage: {numerator: 100}}
                - name: envoy.filters.http.router
                  typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      """;

  private final HttpClient http = HttpClient.newHttpClient();

  @TempDir Path folder;

  private int traffic;
  private int drain;

  @SuppressWarnings("NullAway.Init") // set before each test
  private EnvoyProcess envoy;

  @BeforeEach
  void start() throws IOException {
    start(60);
  }

  private void start(int drainSeconds) throws IOException {
    traffic = freePort();
    drain = freePort();
    Path configuration =
        Files.writeString(
            folder.resolve("envoy.yaml"),
            TRAFFIC
                .replace("${admin}", folder.resolve("admin").toString())
                .replace("${traffic}", Integer.toString(traffic)));
    envoy =
        EnvoyProcess.start(
            List.of(),
            List.of(
                "--config-path",
                configuration.toString(),
                "--config-yaml",
                EnvoyDrain.configuration(UID, drainSeconds, drain),
                "--concurrency",
                "1",
                "--log-level",
                "warning",
                "--disable-hot-restart"),
            Map.of());
    await("Envoy is ready")
        .atMost(SOON)
        .ignoreExceptionsInstanceOf(IOException.class)
        .failFast("Envoy ended", () -> !envoy.isAlive())
        .until(() -> status("/ready") == 200);
  }

  @AfterEach
  void stop() {
    envoy.close();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private int status(String path) throws IOException {
    return send(path).statusCode();
  }

  private HttpResponse<String> send(String path) throws IOException {
    try {
      return http.send(
          HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + traffic + path)).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private CompletableFuture<HttpResponse<String>> slow(int delayMilliseconds) {
    return http.sendAsync(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + traffic + "/slow"))
            .header("x-envoy-fault-delay-request", Integer.toString(delayMilliseconds))
            .build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private CompletableFuture<HttpResponse<String>> drain(String path) {
    return http.sendAsync(
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + drain + path)).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void itIsNotReadyServesOnAsksClientsToLeaveAndEndsWithTheLastRequest() throws IOException {
    CompletableFuture<HttpResponse<String>> slow = slow(9000);
    CompletableFuture<HttpResponse<String>> drained = drain(EnvoyDrain.path(UID));
    await("it is not ready").atMost(SOON).until(() -> status("/ready") == 503);
    HttpResponse<String> late = send("/late");
    assertThat(late.statusCode()).as("who comes late is served").isEqualTo(200);
    assertThat(late.headers().firstValue("connection")).hasValue("close");
    assertThat(drained).as("a request is under way").isNotDone();

    assertThat(slow.join().statusCode()).isEqualTo(200);
    await("the drain is over").atMost(SOON).until(drained::isDone);
    assertThat(drained.join().body()).isEqualTo("drained\n");
  }

  @Test
  void itWaitsNoLongerThanItsTime() throws IOException {
    stop();
    start(2);
    CompletableFuture<HttpResponse<String>> endless = slow(60_000);
    assertThat(drain(EnvoyDrain.path(UID)).orTimeout(15, java.util.concurrent.TimeUnit.SECONDS))
        .succeedsWithin(SOON);
    assertThat(endless).isNotDone();
  }

  @Test
  void whoDoesNotKnowTheUidCannotEndIt() throws IOException {
    assertThat(drain("/drain/another").join().statusCode()).isEqualTo(404);
    assertThat(status("/ready")).isEqualTo(200);
  }
}
