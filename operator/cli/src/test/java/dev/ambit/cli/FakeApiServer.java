package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.output.Json;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** As much of an API server as the command line asks: objects by path, lists, selectors, apply. */
final class FakeApiServer implements AutoCloseable {
  private static final ObjectMapper MAPPER = new ObjectMapper();

  private final HttpServer server;
  private final Map<String, ObjectNode> objects = new ConcurrentHashMap<>();
  private final Map<String, String> texts = new ConcurrentHashMap<>();
  private final Map<String, Integer> refusals = new ConcurrentHashMap<>();
  private final Set<String> kinds = new HashSet<>();
  final List<String> writes = new ArrayList<>();
  Predicate<JsonNode> allowed = _ -> true;
  Consumer<ObjectNode> onApply = _ -> {};
  @Nullable String conflict;

  FakeApiServer() {
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server.createContext("/", this::answer);
    server.start();
    text("/version", "{\"major\": \"1\", \"minor\": \"36\", \"gitVersion\": \"v1.36.3+k3s1\"}");
  }

  String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  /** Puts each document of a YAML text, and makes its kind known. */
  FakeApiServer put(String yaml) {
    for (String document : yaml.split("(?m)^---\\n")) {
      if (!document.isBlank()) {
        Map<?, ?> read = new KubernetesSerialization().unmarshal(document, Map.class);
        put(MAPPER.<ObjectNode>valueToTree(read));
      }
    }
    return this;
  }

  private void put(ObjectNode object) {
    objects.put(path(object), object);
    kinds.add(api(object) + "/" + plural(object));
  }

  void remove(String path) {
    objects.remove(path);
  }

  /** A kind of which there is nothing; one that is not known answers 404. */
  FakeApiServer know(String apiAndPlural) {
    kinds.add(apiAndPlural);
    return this;
  }

  FakeApiServer text(String path, String body) {
    texts.put(path, body);
    return this;
  }

  FakeApiServer refuse(String path, int code) {
    refusals.put(path, code);
    return this;
  }

  private static String api(JsonNode object) {
    String version = Objects.text(object, "/apiVersion");
    return version.contains("/") ? "/apis/" + version : "/api/" + version;
  }

  private static String plural(JsonNode object) {
    String kind = Objects.text(object, "/kind").toLowerCase(java.util.Locale.ROOT);
    return kind.endsWith("s") || kind.endsWith("sh")
        ? kind + "es"
        : kind.endsWith("y") && !kind.endsWith("ay")
            ? kind.substring(0, kind.length() - 1) + "ies"
            : kind + "s";
  }

  private static String path(JsonNode object) {
    String namespace = Objects.namespace(object);
    return api(object)
        + (namespace.isEmpty() ? "" : "/namespaces/" + namespace)
        + "/"
        + plural(object)
        + "/"
        + Objects.name(object);
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    Map<String, String> query = query(exchange.getRequestURI().getRawQuery());
    byte[] body = exchange.getRequestBody().readAllBytes();
    Integer refusal = refusals.get(path);
    if (refusal != null) {
      send(exchange, refusal, status(refusal, path + " is refused"));
      return;
    }
    switch (exchange.getRequestMethod()) {
      case "GET" -> get(exchange, path, query);
      case "PATCH" -> apply(exchange, path, query, MAPPER.readTree(body));
      case "POST" -> {
        ObjectNode review = (ObjectNode) MAPPER.readTree(body);
        review.putObject("status").put("allowed", allowed.test(review.path("spec")));
        send(exchange, 201, review.toString());
      }
      default -> send(exchange, 405, status(405, "not here"));
    }
  }

  private void get(HttpExchange exchange, String path, Map<String, String> query)
      throws IOException {
    ObjectNode logged = path.endsWith("/log") ? objects.get(path.replaceFirst("/log$", "")) : null;
    if (logged != null
        && logged.at("/spec/containers").size() > 1
        && !query.containsKey("container")) {
      send(exchange, 400, status(400, "a container name must be specified"));
      return;
    }
    if (texts.containsKey(path)) {
      send(exchange, 200, java.util.Objects.requireNonNull(texts.get(path)));
      return;
    }
    ObjectNode object = objects.get(path);
    if (object != null) {
      send(exchange, 200, object.toString());
      return;
    }
    if ("true".equals(query.get("watch"))) {
      // It may end at any time, and whoever watches asks again.
      send(exchange, 200, "");
      return;
    }
    String kind = path.replaceFirst("/namespaces/[^/]+(?=/)", "");
    if (!kinds.contains(kind)) {
      send(exchange, 404, status(404, path + " not found"));
      return;
    }
    ObjectNode list = MAPPER.createObjectNode();
    var items = list.putArray("items");
    new TreeMap<>(objects)
        .forEach(
            (where, each) -> {
              String parent = where.substring(0, where.lastIndexOf('/'));
              boolean here =
                  parent.equals(path)
                      || (kind.equals(path)
                          && parent.replaceFirst("/namespaces/[^/]+(?=/)", "").equals(kind));
              if (here && selected(each, query)) {
                items.add(each);
              }
            });
    send(exchange, 200, list.toString());
  }

  private static boolean selected(JsonNode object, Map<String, String> query) {
    return Arrays.stream(query.getOrDefault("labelSelector", "").split(","))
            .filter(term -> !term.isEmpty())
            .allMatch(
                term -> {
                  String[] parts = term.split("=", 2);
                  String value = Objects.labels(object).get(parts[0]);
                  return parts.length == 1 ? value != null : parts[1].equals(value);
                })
        && Arrays.stream(query.getOrDefault("fieldSelector", "").split(","))
            .filter(term -> !term.isEmpty())
            .allMatch(
                term -> {
                  String[] parts = term.split("=", 2);
                  return parts[1].equals(Objects.text(object, "/" + parts[0].replace('.', '/')));
                });
  }

  private void apply(HttpExchange exchange, String path, Map<String, String> query, JsonNode wanted)
      throws IOException {
    writes.add(
        path
            + " by "
            + query.get("fieldManager")
            + " force="
            + query.get("force")
            + " "
            + wanted.path("spec"));
    if (conflict != null && !"true".equals(query.get("force"))) {
      send(exchange, 409, status(409, conflict));
      return;
    }
    ObjectNode object = objects.computeIfAbsent(path, _ -> (ObjectNode) wanted.deepCopy());
    ((ObjectNode) object.withObject("/spec")).setAll((ObjectNode) wanted.path("spec"));
    ObjectNode metadata = object.withObject("/metadata");
    metadata.put("generation", metadata.path("generation").asLong() + 1);
    kinds.add(api(object) + "/" + plural(object));
    onApply.accept(object);
    send(exchange, 200, object.toString());
  }

  private static String status(int code, String message) {
    return Json.pretty(
        Map.of("kind", "Status", "apiVersion", "v1", "code", code, "message", message));
  }

  private static Map<String, String> query(@Nullable String raw) {
    Map<String, String> query = new HashMap<>();
    if (raw != null) {
      for (String pair : raw.split("&")) {
        String[] parts = pair.split("=", 2);
        query.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
      }
    }
    return query;
  }

  private static void send(HttpExchange exchange, int code, String body) throws IOException {
    try (exchange) {
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      exchange.getResponseHeaders().set("Content-Type", "application/json");
      exchange.sendResponseHeaders(code, bytes.length);
      exchange.getResponseBody().write(bytes);
    }
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
