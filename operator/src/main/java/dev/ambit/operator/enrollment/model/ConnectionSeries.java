package dev.ambit.operator.enrollment.model;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One counter of connections in a ztunnel's metrics.
 *
 * @param name its name and labels as written, which tell it from all others of that ztunnel
 * @param failed whether it counts connections that failed; else it counts established ones
 * @param labels by name
 */
public record ConnectionSeries(
    String name, boolean failed, Map<String, String> labels, long value) {
  private static final String OPENED = "istio_tcp_connections_opened_total{";
  private static final String FAILED = "istio_tcp_connections_failed_total{";

  public ConnectionSeries {
    labels = Map.copyOf(labels);
  }

  /** Reads a line of Prometheus' text format; nothing for a line that is of something else. */
  public static Optional<ConnectionSeries> parse(String line) {
    boolean failed = line.startsWith(FAILED);
    if (!failed && !line.startsWith(OPENED)) {
      return Optional.empty();
    }
    Map<String, String> labels = new HashMap<>();
    int at = line.indexOf('{') + 1;
    while (at < line.length() && line.charAt(at) != '}') {
      int equals = line.indexOf("=\"", at);
      if (equals < 0) {
        return Optional.empty();
      }
      StringBuilder value = new StringBuilder();
      int next = equals + 2;
      while (next < line.length() && line.charAt(next) != '"') {
        if (line.charAt(next) == '\\' && next + 1 < line.length()) {
          next++;
          value.append(line.charAt(next) == 'n' ? '\n' : line.charAt(next));
        } else {
          value.append(line.charAt(next));
        }
        next++;
      }
      labels.put(line.substring(at, equals), value.toString());
      at = next + 1;
      if (at < line.length() && line.charAt(at) == ',') {
        at++;
      }
    }
    if (at >= line.length()) {
      return Optional.empty();
    }
    String[] rest = line.substring(at + 1).strip().split(" ");
    try {
      double value = Double.parseDouble(rest[0]);
      return value >= 0 && value < Long.MAX_VALUE
          ? Optional.of(
              new ConnectionSeries(line.substring(0, at + 1), failed, labels, (long) value))
          : Optional.empty();
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  /** Whether the ztunnel that counts it does so for a pod of that namespace. */
  public boolean concerns(String namespace) {
    String end =
        "source".equals(labels.get("reporter"))
            ? "source_workload_namespace"
            : "destination_workload_namespace";
    return namespace.equals(labels.get(end));
  }
}
