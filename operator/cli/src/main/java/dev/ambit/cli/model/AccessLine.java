package dev.ambit.cli.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.output.Json;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A connection that a ztunnel let in or denied at its destination, as its access log tells it.
 *
 * @param identity of the source with {@code spiffe://}; empty for plaintext
 * @param denied whether a policy denied it
 */
public record AccessLine(
    String identity,
    String sourceAddress,
    String sourceName,
    String namespace,
    String workload,
    String destinationAddress,
    int port,
    boolean denied) {
  private static final Pattern FIELD =
      Pattern.compile("(?:^|[\\s])([a-z][a-z_.]*)=(?:\"((?:[^\"\\\\]|\\\\.)*)\"|(\\S+))");
  private static final int LONGEST_ADDRESS = 64;

  /**
   * Reads a line, text or JSON; empty where it tells of something else, such as a connection at its
   * source or one that failed for another reason.
   */
  public static Optional<AccessLine> parse(String line) {
    boolean complete = line.contains("connection complete");
    if (!complete && !line.contains("connection failed")) {
      return Optional.empty();
    }
    Map<String, String> fields = line.startsWith("{") ? json(line) : text(line);
    String error = fields.getOrDefault("error", "");
    boolean denied = !complete && error.startsWith("denied");
    if (!"inbound".equals(fields.get("direction")) || !(complete || denied)) {
      return Optional.empty();
    }
    String source = fields.getOrDefault("src.addr", "");
    String destination = fields.getOrDefault("dst.addr", "");
    int colon = destination.lastIndexOf(':');
    int port = colon < 0 ? -1 : number(destination.substring(colon + 1));
    if (port < 0 || source.isEmpty()) {
      return Optional.empty();
    }
    String name =
        fields.containsKey("src.workload")
            ? fields.getOrDefault("src.namespace", "") + "/" + fields.get("src.workload")
            : host(source);
    return Optional.of(
        new AccessLine(
            fields.getOrDefault("src.identity", ""),
            host(source),
            name,
            fields.getOrDefault("dst.namespace", ""),
            fields.getOrDefault("dst.workload", ""),
            host(destination),
            port,
            denied));
  }

  private static Map<String, String> text(String line) {
    Map<String, String> fields = new HashMap<>();
    Matcher matcher = FIELD.matcher(line);
    while (matcher.find()) {
      String quoted = matcher.group(2);
      fields.put(
          matcher.group(1), quoted == null ? matcher.group(3) : quoted.replaceAll("\\\\(.)", "$1"));
    }
    return fields;
  }

  private static Map<String, String> json(String line) {
    Map<String, String> fields = new HashMap<>();
    try {
      JsonNode object = Json.parse(line);
      object.properties().forEach(field -> fields.put(field.getKey(), field.getValue().asText()));
    } catch (JsonProcessingException e) {
      // A line that was cut off.
      return Map.of();
    }
    return fields;
  }

  private static int number(String digits) {
    return digits.matches("\\d{1,5}") ? Integer.parseInt(digits) : -1;
  }

  /** Of {@code 10.0.0.1:80} or {@code [fd00::1]:80}. */
  private static String host(String address) {
    int colon = address.lastIndexOf(':');
    String host =
        colon < 0 || address.length() > LONGEST_ADDRESS ? address : address.substring(0, colon);
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }
}
