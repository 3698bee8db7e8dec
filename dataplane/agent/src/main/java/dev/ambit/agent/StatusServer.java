package dev.ambit.agent;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Serves {@code /metrics}, {@code /healthz}, {@code /readyz} and {@code /sockets}, on the loopback
 * and the node's address only, since the agent shares the node's network.
 */
final class StatusServer implements AutoCloseable {
  private static final String NAMESPACE = "namespace=";

  private final List<HttpServer> servers;

  private StatusServer(List<HttpServer> servers) {
    this.servers = servers;
  }

  /**
   * Starts serving.
   *
   * @param problem what keeps the agent from being ready, or empty
   * @param sockets what the operator asks of a namespace's pods before they join
   */
  static StatusServer start(
      Optional<InetAddress> host,
      int port,
      PrometheusMeterRegistry metrics,
      Supplier<String> problem,
      SocketReport sockets)
      throws IOException {
    var addresses = new LinkedHashSet<InetAddress>();
    addresses.add(InetAddress.ofLiteral("127.0.0.1"));
    host.ifPresent(addresses::add);
    var servers = new ArrayList<HttpServer>();
    for (var address : addresses) {
      HttpServer server;
      try {
        server = HttpServer.create(new InetSocketAddress(address, port), 16);
      } catch (IOException e) {
        servers.forEach(started -> started.stop(0));
        throw new IOException(
            "cannot listen on " + address.getHostAddress() + ":" + port + ": " + e.getMessage(), e);
      }
      server.createContext(
          "/metrics",
          exchange -> answer(exchange, 200, "text/plain; version=0.0.4", metrics.scrape()));
      server.createContext("/healthz", exchange -> answer(exchange, 200, "text/plain", "ok\n"));
      server.createContext(
          "/readyz",
          exchange -> {
            var now = problem.get();
            answer(
                exchange,
                now.isEmpty() ? 200 : 503,
                "text/plain",
                now.isEmpty() ? "ok\n" : now + "\n");
          });
      server.createContext(
          "/sockets",
          exchange -> {
            var query = exchange.getRequestURI().getQuery();
            if (query != null && query.startsWith(NAMESPACE)) {
              answer(
                  exchange,
                  200,
                  "application/json",
                  sockets.of(query.substring(NAMESPACE.length())));
            } else {
              answer(exchange, 400, "text/plain", "ask for /sockets?namespace=NAME\n");
            }
          });
      server.start();
      servers.add(server);
    }
    return new StatusServer(servers);
  }

  int port() {
    return servers.getFirst().getAddress().getPort();
  }

  private static void answer(HttpExchange exchange, int status, String type, String text)
      throws IOException {
    try (exchange) {
      byte[] body = text.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", type);
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  @Override
  public void close() {
    servers.forEach(server -> server.stop(0));
  }
}
