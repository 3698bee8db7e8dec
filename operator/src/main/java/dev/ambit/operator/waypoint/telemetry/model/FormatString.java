package dev.ambit.operator.waypoint.telemetry.model;

import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Whether Envoy would take a format of access logs. Envoy rejects a whole listener for one that it
 * does not understand, so none of those may reach it.
 */
final class FormatString {
  private static final Pattern OPERATOR =
      Pattern.compile("%([A-Z0-9_]+)(?:\\((.*?)\\))?(?::(\\d{1,9}))?%", Pattern.DOTALL);

  /** Operators that take no parameter. */
  private static final Set<String> PLAIN =
      Set.of(
          "ACCESS_LOG_TYPE",
          "BYTES_RECEIVED",
          "BYTES_SENT",
          "CONNECTION_ID",
          "CONNECTION_TERMINATION_DETAILS",
          "DOWNSTREAM_DETECTED_CLOSE_TYPE",
          "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
          "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
          "DOWNSTREAM_HANDSHAKE_DURATION",
          "DOWNSTREAM_HEADER_BYTES_RECEIVED",
          "DOWNSTREAM_HEADER_BYTES_SENT",
          "DOWNSTREAM_LOCAL_ADDRESS",
          "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
          "DOWNSTREAM_LOCAL_PORT",
          "DOWNSTREAM_REMOTE_ADDRESS",
          "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
          "DOWNSTREAM_REMOTE_PORT",
          "DOWNSTREAM_WIRE_BYTES_RECEIVED",
          "DOWNSTREAM_WIRE_BYTES_SENT",
          "DURATION",
          "FILTER_CHAIN_NAME",
          "GRPC_STATUS",
          "GRPC_STATUS_NUMBER",
          "HOSTNAME",
          "PROTOCOL",
          "REQUESTED_SERVER_NAME",
          "REQUEST_DURATION",
          "REQUEST_HEADERS_BYTES",
          "REQUEST_TX_DURATION",
          "RESPONSE_CODE",
          "RESPONSE_CODE_DETAILS",
          "RESPONSE_DURATION",
          "RESPONSE_FLAGS",
          "RESPONSE_FLAGS_LONG",
          "RESPONSE_HEADERS_BYTES",
          "RESPONSE_TRAILERS_BYTES",
          "RESPONSE_TX_DURATION",
          "ROUNDTRIP_DURATION",
          "ROUTE_NAME",
          "START_TIME",
          "STREAM_ID",
          "TRACE_ID",
          "UNIQUE_ID",
          "UPSTREAM_CLUSTER",
          "UPSTREAM_CLUSTER_RAW",
          "UPSTREAM_CONNECTION_ID",
          "UPSTREAM_CONNECTION_POOL_READY_DURATION",
          "UPSTREAM_HEADER_BYTES_RECEIVED",
          "UPSTREAM_HEADER_BYTES_SENT",
          "UPSTREAM_HOST",
          "UPSTREAM_LOCAL_ADDRESS",
          "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
          "UPSTREAM_LOCAL_PORT",
          "UPSTREAM_PROTOCOL",
          "UPSTREAM_REMOTE_ADDRESS",
          "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
          "UPSTREAM_REMOTE_PORT",
          "UPSTREAM_REQUEST_ATTEMPT_COUNT",
          "UPSTREAM_TRANSPORT_FAILURE_REASON",
          "UPSTREAM_WIRE_BYTES_RECEIVED",
          "UPSTREAM_WIRE_BYTES_SENT",
          "VIRTUAL_CLUSTER_NAME");

  /** Operators that need a parameter: a name, or a namespace and path. */
  private static final Set<String> PARAMETERISED =
      Set.of("REQ", "RESP", "TRAILER", "DYNAMIC_METADATA", "CLUSTER_METADATA", "FILTER_STATE");

  private static final Pattern PARAMETER = Pattern.compile("[A-Za-z0-9:._/?-]{1,200}");
  private static final Set<String> METADATA_SOURCES = Set.of("DYNAMIC", "CLUSTER", "ROUTE");

  private FormatString() {}

  /** A format with each operator that takes no parameter. */
  static String plain() {
    return PLAIN.stream().sorted().map(name -> "%" + name + "%").collect(Collectors.joining(" "));
  }

  /** What is wrong with it; empty where nothing is. */
  static Optional<String> problem(String format) {
    int at = format.indexOf('%');
    while (at >= 0) {
      if (format.startsWith("%%", at)) {
        at = format.indexOf('%', at + 2);
        continue;
      }
      Matcher operator = OPERATOR.matcher(format).region(at, format.length());
      if (!operator.lookingAt()) {
        return Optional.of(
            "at " + excerpt(format, at) + ": an operator is %NAME% or %NAME(PARAMETER)%");
      }
      Optional<String> problem = problem(operator.group(1), operator.group(2));
      if (problem.isPresent()) {
        return problem;
      }
      at = format.indexOf('%', operator.end());
    }
    return Optional.empty();
  }

  private static Optional<String> problem(
      String name, @org.jspecify.annotations.Nullable String parameter) {
    if (parameter == null) {
      return PLAIN.contains(name)
          ? Optional.empty()
          : Optional.of("no operator %" + name + "% is supported");
    }
    if (name.equals("START_TIME")) {
      // Its parameter is a format of times with percent signs of its own.
      return Optional.of("%START_TIME% is supported without a format of its own only");
    }
    if (name.equals("CEL")) {
      return Cel.problem(parameter);
    }
    boolean known =
        PARAMETERISED.contains(name)
            || (name.equals("METADATA")
                && METADATA_SOURCES.stream()
                    .anyMatch(source -> parameter.startsWith(source + ":")));
    if (!known) {
      return Optional.of("no operator %" + name + "(" + parameter + ")% is supported");
    }
    return PARAMETER.matcher(parameter).matches()
        ? Optional.empty()
        : Optional.of("%" + name + "% does not take the parameter " + parameter);
  }

  private static String excerpt(String format, int at) {
    return "\"" + format.substring(at, Math.min(format.length(), at + 24)) + "\"";
  }
}
