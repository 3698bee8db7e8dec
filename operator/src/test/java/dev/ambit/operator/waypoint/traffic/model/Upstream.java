package dev.ambit.operator.waypoint.traffic.model;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;

/** An application that answers with its own name and what it was asked. */
final class Upstream implements AutoCloseable {
  private final HttpServer server;
  private final String name;
  private final Map<String, String> labels;
  private final List<String> requests = new CopyOnWriteArrayList<>();
  private volatile ToIntFunction<HttpExchange> behaviour = _ -> 200;

  Upstream(String name, Map<String, String> labels) {
    this.name = name;
    this.labels = labels;
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    server.createContext("/", this::answer);
    server.start();
  }

  /** Answers with that status instead; the function may also wait. */
  Upstream answering(ToIntFunction<HttpExchange> status) {
    behaviour = status;
    return this;
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.getRequestBody().readAllBytes();
      String asked = exchange.getRequestMethod() + " " + exchange.getRequestURI();
      requests.add(asked);
      int status = behaviour.applyAsInt(exchange);
      String headers =
          exchange.getRequestHeaders().entrySet().stream()
              .map(
                  header ->
                      header.getKey().toLowerCase(java.util.Locale.ROOT)
                          + "="
                          + String.join(",", header.getValue()))
              .sorted()
              .collect(Collectors.joining("\n"));
      byte[] body = (name + "\n" + asked + "\n" + headers).getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().add("x-upstream", name);
      exchange.sendResponseHeaders(status, body.length);
      exchange.getResponseBody().write(body);
    }
  }

  int port() {
    return server.getAddress().getPort();
  }

  String name() {
    return name;
  }

  Map<String, String> labels() {
    return labels;
  }

  /** What it was asked so far. */
  List<String> requests() {
    return List.copyOf(requests);
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
