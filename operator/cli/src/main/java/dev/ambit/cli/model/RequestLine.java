package dev.ambit.cli.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.output.Json;
import dev.ambit.operator.waypoint.security.model.PolicyTrial.SeenRequest;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A request that passed a waypoint, or was refused by it, as its access log tells it.
 *
 * @param hostname of the service
 * @param denied whether a policy refused it
 */
public record RequestLine(
    SeenRequest request, String source, String namespace, String hostname, boolean denied) {
  /** The way that the waypoint took the connection: protocol, service and port. */
  private static final Pattern CHAIN = Pattern.compile("[a-z]+\\|([^/|]+)/([^|]+)\\|(\\d{1,5})");

  private static final String REFUSED = "rbac_access_denied";

  /** Reads a line of JSON with the default fields; empty where it is something else. */
  public static Optional<RequestLine> parse(String line) {
    if (!line.startsWith("{")) {
      return Optional.empty();
    }
    JsonNode entry;
    try {
      entry = Json.parse(line);
    } catch (JsonProcessingException e) {
      // A line that was cut off.
      return Optional.empty();
    }
    Matcher chain = CHAIN.matcher(entry.path("filter_chain").asText(""));
    String method = text(entry, "method");
    String path = text(entry, "path");
    if (!chain.matches() || method == null || path == null || !entry.has("source_principal")) {
      return Optional.empty();
    }
    String principal = text(entry, "source_principal");
    String workload = text(entry, "source_workload");
    String authority = text(entry, "authority");
    return Optional.of(
        new RequestLine(
            new SeenRequest(
                principal,
                host(text(entry, "downstream_remote_address")),
                method,
                path,
                authority == null ? "" : authority,
                Integer.parseInt(chain.group(3))),
            workload == null
                ? "-"
                : entry.path("source_workload_namespace").asText("") + "/" + workload,
            chain.group(1),
            chain.group(2),
            entry.path("response_code_details").asText("").startsWith(REFUSED)));
  }

  private static @Nullable String text(JsonNode entry, String field) {
    String text = entry.path(field).asText("");
    return text.isEmpty() || text.equals("-") || entry.path(field).isNull() ? null : text;
  }

  private static @Nullable String host(@Nullable String address) {
    if (address == null) {
      return null;
    }
    int colon = address.lastIndexOf(':');
    String host = colon < 0 ? address : address.substring(0, colon);
    return host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
  }
}
