package dev.ambit.agent.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/** The JSON of CNI: a plugin's standard input, its answers, and the files that list plugins. */
final class NetworkConfiguration {
  static final String PLUGIN = "ambit-cni";

  /** The newest version of which every answer of ours is valid. */
  private static final String FALLBACK_VERSION = "1.0.0";

  /** Numbers are kept as they were written. */
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
          .build();

  private NetworkConfiguration() {}

  private static ObjectNode object(String json) throws IOException {
    try {
      if (JSON.readTree(json) instanceof ObjectNode object) {
        return object;
      }
    } catch (JsonProcessingException e) {
      throw new IOException("not JSON: " + e.getOriginalMessage(), e);
    }
    throw new IOException("not a JSON object");
  }

  // A plugin's input and answers.

  /** What the plugins before this one gave, to be passed on as it is. */
  static Optional<String> previousResult(String configuration) throws IOException {
    return object(configuration).get("prevResult") instanceof ObjectNode result
        ? Optional.of(result.toString())
        : Optional.empty();
  }

  /** The addresses that the plugins before this one gave to the pod. */
  static Set<InetAddress> addresses(String configuration) throws IOException {
    var addresses = new LinkedHashSet<InetAddress>();
    for (JsonNode ip : object(configuration).path("prevResult").path("ips")) {
      var address = ip.path("address").asText();
      int slash = address.indexOf('/');
      try {
        addresses.add(InetAddress.ofLiteral(slash < 0 ? address : address.substring(0, slash)));
      } catch (IllegalArgumentException e) {
        throw new IOException("prevResult names an address that is none: " + address, e);
      }
    }
    return addresses;
  }

  static CniReply error(String configuration, int code, String message) {
    String version = FALLBACK_VERSION;
    try {
      var given = object(configuration).path("cniVersion").asText();
      if (given.matches("[0-9]+\\.[0-9]+\\.[0-9]+")) {
        version = given;
      }
    } catch (IOException e) {
      // The error to report is another one.
      version = FALLBACK_VERSION;
    }
    var error = JSON.createObjectNode();
    error.put("cniVersion", version).put("code", code).put("msg", message);
    return new CniReply(false, error.toString());
  }

  // Files.

  /** The list with our plugin last; empty where it is so already. */
  static Optional<String> withPlugin(String list) throws IOException {
    var object = object(list);
    if (!(object.get("plugins") instanceof ArrayNode plugins) || plugins.isEmpty()) {
      throw new IOException("it lists no plugins");
    }
    if (isOurs(plugins.get(plugins.size() - 1)) && count(object) == 1) {
      return Optional.empty();
    }
    removeOurs(object);
    plugins.addObject().put("type", PLUGIN);
    return Optional.of(text(object));
  }

  /** The list without our plugin; empty where it is not in it. */
  static Optional<String> withoutPlugin(String list) throws IOException {
    var object = object(list);
    if (count(object) == 0) {
      return Optional.empty();
    }
    removeOurs(object);
    return Optional.of(text(object));
  }

  /** A list of the one plugin that a file describes, and ours. */
  static String listOf(String single) throws IOException {
    var plugin = object(single);
    if (!plugin.path("type").isTextual()) {
      throw new IOException("it names no plugin type");
    }
    var list = JSON.createObjectNode();
    for (var shared : new String[] {"cniVersion", "name"}) {
      if (plugin.has(shared)) {
        list.set(shared, plugin.get(shared));
      }
    }
    list.putArray("plugins").add(plugin).addObject().put("type", PLUGIN);
    return text(list);
  }

  private static boolean isOurs(JsonNode plugin) {
    return PLUGIN.equals(plugin.path("type").asText());
  }

  private static int count(ObjectNode list) {
    int count = 0;
    for (var plugin : list.path("plugins")) {
      count += isOurs(plugin) ? 1 : 0;
    }
    return count;
  }

  private static void removeOurs(ObjectNode list) {
    for (var each = list.path("plugins").elements(); each.hasNext(); ) {
      if (isOurs(each.next())) {
        each.remove();
      }
    }
  }

  private static String text(ObjectNode object) throws IOException {
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(object) + "\n";
    } catch (JsonProcessingException e) {
      throw new IOException(e);
    }
  }
}
