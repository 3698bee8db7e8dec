package dev.ambit.operator.waypoint.traffic.model;

import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption.HeaderAppendAction;
import io.fabric8.istio.api.api.networking.v1alpha3.Headers;
import io.fabric8.istio.api.api.networking.v1alpha3.HeadersHeaderOperations;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What is done to headers.
 *
 * @param authority what the request's host becomes
 */
record HeaderOperations(
    List<HeaderValueOption> requestAdditions,
    List<String> requestRemovals,
    List<HeaderValueOption> responseAdditions,
    List<String> responseRemovals,
    Optional<String> authority) {
  private static final HeaderOperations NONE =
      new HeaderOperations(List.of(), List.of(), List.of(), List.of(), Optional.empty());

  private static final Pattern COMMAND =
      Pattern.compile("%%|%([A-Z0-9_]+)(\\([^()%]*\\))?(:\\d+)?%");

  /** What Envoy can put into headers; anything else it would refuse with all that comes with it. */
  private static final Set<String> PLAIN =
      Set.of(
          "BYTES_RECEIVED",
          "CONNECTION_ID",
          "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
          "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
          "DOWNSTREAM_LOCAL_ADDRESS",
          "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
          "DOWNSTREAM_LOCAL_PORT",
          "DOWNSTREAM_REMOTE_ADDRESS",
          "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
          "HOSTNAME",
          "PROTOCOL",
          "RESPONSE_CODE",
          "RESPONSE_FLAGS",
          "ROUTE_NAME",
          "START_TIME",
          "STREAM_ID",
          "UPSTREAM_CLUSTER",
          "UPSTREAM_HOST",
          "UPSTREAM_REMOTE_ADDRESS");

  private static final Set<String> WITH_ARGUMENT =
      Set.of("DYNAMIC_METADATA", "FILTER_STATE", "REQ", "RESP");

  static HeaderOperations translate(String path, @Nullable Headers headers, Findings findings) {
    if (headers == null) {
      return NONE;
    }
    findings.unknown(path, headers.getAdditionalProperties());
    HeadersHeaderOperations request = headers.getRequest();
    HeadersHeaderOperations response = headers.getResponse();
    return new HeaderOperations(
        additions(path + ".request", request, true, findings),
        removals(path + ".request", request, findings),
        additions(path + ".response", response, false, findings),
        removals(path + ".response", response, findings),
        authority(request));
  }

  private static Optional<String> authority(@Nullable HeadersHeaderOperations request) {
    if (request == null) {
      return Optional.empty();
    }
    for (Map<String, String> each : List.of(sorted(request.getSet()), sorted(request.getAdd()))) {
      for (Map.Entry<String, String> header : each.entrySet()) {
        if (HeaderNames.isAuthority(header.getKey()) && !header.getValue().isEmpty()) {
          return Optional.of(header.getValue());
        }
      }
    }
    return Optional.empty();
  }

  private static List<HeaderValueOption> additions(
      String path,
      @Nullable HeadersHeaderOperations operations,
      boolean request,
      Findings findings) {
    if (operations == null) {
      return List.of();
    }
    findings.unknown(path, operations.getAdditionalProperties());
    List<HeaderValueOption> additions = new ArrayList<>();
    sorted(operations.getSet())
        .forEach(
            (name, value) ->
                option(
                        path + ".set[" + name + "]",
                        name,
                        value,
                        HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
                        request,
                        findings)
                    .ifPresent(additions::add));
    sorted(operations.getAdd())
        .forEach(
            (name, value) ->
                option(
                        path + ".add[" + name + "]",
                        name,
                        value,
                        HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
                        request,
                        findings)
                    .ifPresent(additions::add));
    return List.copyOf(additions);
  }

  private static Optional<HeaderValueOption> option(
      String path,
      String name,
      String value,
      HeaderAppendAction action,
      boolean request,
      Findings findings) {
    if (!allowed(path, name, request, findings)) {
      return Optional.empty();
    }
    if (value.chars().anyMatch(c -> c == '\r' || c == '\n' || c == 0)) {
      findings.add(path, "has a line break in its value; it is left out");
      return Optional.empty();
    }
    return Optional.of(
        HeaderValueOption.newBuilder()
            .setHeader(
                HeaderValue.newBuilder().setKey(name).setValue(format(path, value, findings)))
            .setAppendAction(action)
            .setKeepEmptyValue(true)
            .build());
  }

  private static boolean allowed(String path, String name, boolean request, Findings findings) {
    if (request && HeaderNames.isAuthority(name)) {
      return false;
    }
    if (!HeaderNames.isValid(name) || HeaderNames.isReserved(name)) {
      findings.add(path, "is not a header that can be changed; it is left as it is");
      return false;
    }
    return true;
  }

  /** A value in which Envoy understands each command. */
  private static String format(String path, String value, Findings findings) {
    if (value.indexOf('%') < 0) {
      return value;
    }
    Matcher matcher = COMMAND.matcher(value);
    StringBuilder rest = new StringBuilder();
    boolean known = true;
    while (matcher.find()) {
      matcher.appendReplacement(rest, "");
      String name = matcher.group(1);
      if (name != null) {
        known &= matcher.group(2) == null ? PLAIN.contains(name) : WITH_ARGUMENT.contains(name);
      }
    }
    matcher.appendTail(rest);
    if (known && rest.indexOf("%") < 0) {
      return value;
    }
    findings.add(
        path, "has a percent sign that begins no command that Envoy knows; it is taken as text");
    return value.replace("%", "%%");
  }

  private static List<String> removals(
      String path, @Nullable HeadersHeaderOperations operations, Findings findings) {
    if (operations == null || operations.getRemove() == null) {
      return List.of();
    }
    return operations.getRemove().stream()
        .filter(name -> allowed(path + ".remove[" + name + "]", name, false, findings))
        .toList();
  }

  private static Map<String, String> sorted(@Nullable Map<String, String> map) {
    return map == null ? Map.of() : new TreeMap<>(map);
  }
}
