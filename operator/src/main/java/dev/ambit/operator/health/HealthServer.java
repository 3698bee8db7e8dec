package dev.ambit.operator.health;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/** Serves {@code /healthz}, {@code /readyz} and {@code /metrics}. */
public final class HealthServer implements AutoCloseable {
  private static final String TEXT = "text/plain; charset=utf-8";
  private static final String PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

  private final HttpServer server;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  private record Answer(int code, String type, String body) {}

  /**
   * Listens at once.
   *
   * @param ready whether this replica serves
   */
  public HealthServer(
      InetSocketAddress address, Supplier<Readiness> ready, PrometheusMeterRegistry metrics)
      throws IOException {
    server = HttpServer.create(address, 0);
    server.setExecutor(threads);
    serve("/healthz", () -> new Answer(HttpURLConnection.HTTP_OK, TEXT, "alive\n"));
    serve("/readyz", () -> readiness(ready.get()));
    serve("/metrics", () -> new Answer(HttpURLConnection.HTTP_OK, PROMETHEUS, metrics.scrape()));
    server.start();
  }

  /** The address that is listened at. */
  public InetSocketAddress address() {
    return server.getAddress();
  }

  private static Answer readiness(Readiness readiness) {
    return switch (readiness) {
      case Readiness.Ready ignored -> new Answer(HttpURLConnection.HTTP_OK, TEXT, "ready\n");
      case Readiness.NotReady(String reason) ->
          new Answer(HttpURLConnection.HTTP_UNAVAILABLE, TEXT, reason + "\n");
    };
  }

  private void serve(String path, Supplier<Answer> answer) {
    server.createContext(
        path,
        exchange -> {
          try (exchange) {
            if (exchange.getRequestURI().getPath().equals(path)) {
              send(exchange, answer.get());
            } else {
              send(exchange, new Answer(HttpURLConnection.HTTP_NOT_FOUND, TEXT, "not found\n"));
            }
          }
        });
  }

  private static void send(HttpExchange exchange, Answer answer) throws IOException {
    byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", answer.type());
    exchange.sendResponseHeaders(answer.code(), body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  @Override
  public void close() {
    server.stop(0);
    threads.close();
  }
}
