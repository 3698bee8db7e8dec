package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What routes of both kinds ask of headers. */
final class HeaderMatches {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9!#$%&'*+\\-.^_`|~]{1,256}");

  private HeaderMatches() {}

  /** A header as a route asks for it. */
  record Asked(@Nullable String type, @Nullable String name, @Nullable String value) {}

  /**
   * Translates them.
   *
   * @param field of the rule that they are in
   * @return empty where one cannot be asked for, which the rule's problems then say
   */
  static Optional<List<HeaderMatcher>> of(List<Asked> headers, Problems.Rule rule, String field) {
    List<HeaderMatcher> matchers = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    boolean usable = true;
    for (int i = 0; i < headers.size(); i++) {
      Asked header = headers.get(i);
      String path = field + "[" + i + "]";
      String name = header.name() == null ? "" : header.name().toLowerCase(Locale.ROOT);
      if (!isName(name)) {
        rule.unsupported(path + ".name", "\"" + name + "\" is not the name of a header");
        usable = false;
        continue;
      }
      if (!seen.add(name)) {
        // The API: of equal names, the first counts.
        continue;
      }
      Optional<StringMatcher> value = string(header.type(), header.value(), rule, path);
      if (value.isEmpty()) {
        usable = false;
        continue;
      }
      matchers.add(
          HeaderMatcher.newBuilder()
              // Envoy has a request's host under its name in HTTP/2.
              .setName(name.equals("host") ? ":authority" : name)
              .setStringMatch(value.get())
              .build());
    }
    return usable ? Optional.of(matchers) : Optional.empty();
  }

  /** A value by "Exact", which is the default, or "RegularExpression". */
  static Optional<StringMatcher> string(
      @Nullable String type, @Nullable String value, Problems.Rule rule, String path) {
    String text = value == null ? "" : value;
    switch (type == null ? "Exact" : type) {
      case "Exact" -> {
        return Optional.of(StringMatcher.newBuilder().setExact(text).build());
      }
      case "RegularExpression" -> {
        Optional<RegularExpression> expression = RegularExpression.of(text);
        if (expression.isEmpty()) {
          rule.unsupported(path + ".value", notAnExpression(text));
        }
        return expression.map(
            each -> StringMatcher.newBuilder().setSafeRegex(each.matcher()).build());
      }
      default -> {
        rule.unsupported(path + ".type", "\"" + type + "\" is not known");
        return Optional.empty();
      }
    }
  }

  static String notAnExpression(String text) {
    return "\""
        + (text.length() > 80 ? text.substring(0, 80) + "…" : text)
        + "\" is not a regular expression of RE2's syntax";
  }

  /** Whether it is a header's, and not one of those of HTTP/2 that begin with a colon. */
  static boolean isName(String text) {
    return NAME.matcher(text).matches();
  }
}
