package dev.ambit.operator.waypoint.route.model;

import io.envoyproxy.envoy.config.core.v3.HeaderValue;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption;
import io.envoyproxy.envoy.config.core.v3.HeaderValueOption.HeaderAppendAction;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPHeader;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPHeaderFilter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of headers, by their names in lower case. Changes made one after the other come to
 * one, since Envoy would let those of a rule have the last word over those of its backends.
 */
record HeaderChanges(Map<String, Change> changes) {
  static final HeaderChanges NONE = new HeaderChanges(Map.of());

  private static final String HOST = "host";
  private static final Pattern VALUE = Pattern.compile("[^\\x00-\\x08\\x0a-\\x1f\\x7f]{0,16384}");

  /** What becomes of one header: first what it has may go, then values may come. */
  record Change(boolean replaces, List<String> values) {}

  /**
   * Translates a filter.
   *
   * @param field of the rule that it is
   */
  static HeaderChanges of(@Nullable HTTPHeaderFilter filter, Problems.Rule rule, String field) {
    if (filter == null) {
      rule.unsupported(field, "is empty");
      return NONE;
    }
    rule.unknown(field, filter.getAdditionalProperties());
    Map<String, Change> changes = new LinkedHashMap<>();
    Set<String> actions = new HashSet<>();
    headers(filter.getSet(), rule, field + ".set", actions)
        .forEach((name, value) -> changes.put(name, new Change(true, List.of(value))));
    headers(filter.getAdd(), rule, field + ".add", actions)
        .forEach(
            (name, value) -> {
              if (name.equals(HOST)) {
                rule.unsupported(field + ".add", "a request has one host; use set");
              }
              changes.put(name, new Change(false, List.of(value)));
            });
    List<String> remove = Lists.orEmpty(filter.getRemove());
    for (int i = 0; i < remove.size(); i++) {
      String name = remove.get(i).toLowerCase(Locale.ROOT);
      String path = field + ".remove[" + i + "]";
      if (!HeaderMatches.isName(name) || name.equals(HOST)) {
        rule.unsupported(path, "\"" + name + "\" cannot be removed");
      } else if (changes.containsKey(name)) {
        rule.unsupported(path, "\"" + name + "\" has another action in the same filter");
      } else {
        changes.put(name, new Change(true, List.of()));
      }
    }
    return new HeaderChanges(changes);
  }

  private static Map<String, String> headers(
      @Nullable List<HTTPHeader> headers, Problems.Rule rule, String field, Set<String> actions) {
    Map<String, String> values = new LinkedHashMap<>();
    List<HTTPHeader> all = Lists.orEmpty(headers);
    for (int i = 0; i < all.size(); i++) {
      String path = field + "[" + i + "]";
      String name = all.get(i).getName() == null ? "" : all.get(i).getName();
      String lower = name.toLowerCase(Locale.ROOT);
      String value = all.get(i).getValue() == null ? "" : all.get(i).getValue();
      rule.unknown(path, all.get(i).getAdditionalProperties());
      if (!HeaderMatches.isName(lower)) {
        rule.unsupported(path + ".name", "\"" + name + "\" is not the name of a header");
      } else if (!VALUE.matcher(value).matches()) {
        rule.unsupported(path + ".value", "is not the value of a header");
      } else if (!values.containsKey(lower)) {
        // The API: of equal names, the first counts.
        if (!actions.add(lower)) {
          rule.unsupported(path, "\"" + name + "\" has another action in the same filter");
        }
        values.put(lower, value);
      }
    }
    return values;
  }

  /** These, and then others. */
  HeaderChanges then(HeaderChanges next) {
    Map<String, Change> both = new LinkedHashMap<>(changes);
    next.changes.forEach(
        (name, change) -> {
          Change before = both.get(name);
          if (before == null || change.replaces()) {
            both.put(name, change);
          } else {
            List<String> values = new ArrayList<>(before.values());
            values.addAll(change.values());
            both.put(name, new Change(before.replaces(), values));
          }
        });
    return new HeaderChanges(both);
  }

  /** The host that requests get, which Envoy does not take for a header. */
  Optional<String> host() {
    Change change = changes.get(HOST);
    return change == null || change.values().isEmpty()
        ? Optional.empty()
        : Optional.of(change.values().getFirst());
  }

  /** For Envoy, which removes first. */
  List<String> removed() {
    List<String> names = new ArrayList<>();
    changes.forEach(
        (name, change) -> {
          if (change.replaces() && change.values().isEmpty()) {
            names.add(name);
          }
        });
    return names;
  }

  /** For Envoy, in this order. */
  List<HeaderValueOption> values() {
    List<HeaderValueOption> options = new ArrayList<>();
    changes.forEach(
        (name, change) -> {
          if (name.equals(HOST)) {
            return;
          }
          boolean replaces = change.replaces();
          for (String value : change.values()) {
            options.add(option(name, value, replaces));
            replaces = false;
          }
        });
    return options;
  }

  private static HeaderValueOption option(String name, String value, boolean replaces) {
    return HeaderValueOption.newBuilder()
        .setHeader(
            HeaderValue.newBuilder()
                .setKey(name)
                // Envoy would take it for the beginning of something to fill in.
                .setValue(value.replace("%", "%%")))
        .setAppendAction(
            replaces
                ? HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
                : HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD)
        .setKeepEmptyValue(value.isEmpty())
        .build();
  }
}
