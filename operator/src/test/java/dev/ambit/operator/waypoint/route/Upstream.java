package dev.ambit.operator.waypoint.route;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server that answers with what it was asked: its own name, the method, the path and the headers,
 * each in a line of its own. A request can ask it to be slow or to fail.
 */
final class Upstream implements AutoCloseable {
  private final HttpServer server;
  private final String name;
  private final AtomicInteger attempts = new AtomicInteger();
  private final List<String> seen = new CopyOnWriteArrayList<>();

  Upstream(String name) throws IOException {
    this.name = name;
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::answer);
    server.start();
  }

  int port() {
    return server.getAddress().getPort();
  }

  /** How often it was asked. */
  int attempts() {
    return attempts.get();
  }

  /** The texts that it answered with. */
  List<String> seen() {
    return seen;
  }

  private void answer(HttpExchange exchange) throws IOException {
    int attempt = attempts.incrementAndGet();
    StringBuilder text = new StringBuilder();
    text.append("name: ").append(name).append('\n');
    text.append("method: ").append(exchange.getRequestMethod()).append('\n');
    text.append("uri: ").append(exchange.getRequestURI()).append('\n');
    exchange
        .getRequestHeaders()
        .forEach(
            (key, values) ->
                values.forEach(
                    value ->
                        text.append("header ")
                            .append(key.toLowerCase(java.util.Locale.ROOT))
                            .append(": ")
                            .append(value)
                            .append('\n')));
    exchange.getRequestBody().readAllBytes();
    seen.add(text.toString());
    String delay = exchange.getRequestHeaders().getFirst("x-delay");
    String failures = exchange.getRequestHeaders().getFirst("x-failures");
    int status = 200;
    if (failures != null && attempt <= Integer.parseInt(failures.split("x", -1)[0])) {
      status = Integer.parseInt(failures.split("x", -1)[1]);
      if (status == 0) {
        exchange.close();
        return;
      }
    }
    if (delay != null) {
      pause(Duration.ofMillis(Long.parseLong(delay)));
    }
    exchange.getResponseHeaders().add("x-upstream", name);
    exchange.getResponseHeaders().add("x-remove-me", "please");
    byte[] body = text.toString().getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
    exchange.close();
  }

  private static void pause(Duration duration) {
    try {
      Thread.sleep(duration);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
