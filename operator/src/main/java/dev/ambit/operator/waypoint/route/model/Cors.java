package dev.ambit.operator.waypoint.route.model;

import com.google.protobuf.BoolValue;
import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.CorsPolicy;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPCORSFilter;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Translates a filter for requests that browsers make across origins. */
final class Cors {
  /** The API's default, in seconds. */
  private static final int MAX_AGE = 5;

  private static final Pattern ORIGIN =
      Pattern.compile("(https?)://([A-Za-z0-9*][-A-Za-z0-9.*]*)(?::([0-9]{1,5}))?");

  /** All that {@code *} can stand for where the answer has to name them. */
  private static final List<String> METHODS =
      List.of("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH");

  private Cors() {}

  static Optional<CorsPolicy> of(
      @Nullable HTTPCORSFilter filter, Problems.Rule rule, String field) {
    if (filter == null) {
      rule.unsupported(field, "is empty");
      return Optional.empty();
    }
    rule.unknown(field, filter.getAdditionalProperties());
    boolean credentials = Boolean.TRUE.equals(filter.getAllowCredentials());
    CorsPolicy.Builder policy =
        CorsPolicy.newBuilder()
            .setMaxAge(String.valueOf(filter.getMaxAge() == null ? MAX_AGE : filter.getMaxAge()))
            // A preflight from elsewhere ends here, without leave.
            .setForwardNotMatchingPreflights(BoolValue.of(false));
    if (credentials) {
      policy.setAllowCredentials(BoolValue.of(true));
    }
    List<String> origins = Lists.orEmpty(filter.getAllowOrigins());
    for (int i = 0; i < origins.size(); i++) {
      Optional<StringMatcher> origin = origin(origins.get(i));
      if (origin.isEmpty()) {
        rule.unsupported(
            field + ".allowOrigins[" + i + "]", "\"" + origins.get(i) + "\" is not an origin");
      }
      origin.ifPresent(policy::addAllowOriginStringMatch);
    }
    List<String> methods = names(filter.getAllowMethods(), rule, field + ".allowMethods");
    List<String> headers = names(filter.getAllowHeaders(), rule, field + ".allowHeaders");
    List<String> exposed = names(filter.getExposeHeaders(), rule, field + ".exposeHeaders");
    // With credentials, browsers take "*" for a name and not for all.
    policy.setAllowMethods(
        String.join(",", credentials && methods.contains("*") ? METHODS : methods));
    policy.setAllowHeaders(String.join(",", headers));
    policy.setExposeHeaders(String.join(",", exposed));
    if (credentials && headers.contains("*")) {
      rule.unsupported(
          field + ".allowHeaders", "with allowCredentials, headers have to be named one by one");
    }
    if (credentials && exposed.contains("*")) {
      rule.unsupported(
          field + ".exposeHeaders", "with allowCredentials, headers have to be named one by one");
    }
    return Optional.of(policy.build());
  }

  private static List<String> names(
      @Nullable List<String> names, Problems.Rule rule, String field) {
    List<String> all = Lists.orEmpty(names);
    for (int i = 0; i < all.size(); i++) {
      if (!HeaderMatches.isName(all.get(i))) {
        rule.unsupported(field + "[" + i + "]", "\"" + all.get(i) + "\" is not a name");
      }
    }
    return all;
  }

  /** A {@code *} in it stands for labels of the host, and alone for any origin. */
  private static Optional<StringMatcher> origin(String text) {
    if (text.equals("*")) {
      return Optional.of(matching(".+"));
    }
    Matcher parts = ORIGIN.matcher(text);
    if (!parts.matches()) {
      return Optional.empty();
    }
    String scheme = parts.group(1);
    // Browsers leave out the port that the scheme implies.
    String implied = scheme.equals("https") ? "443" : "80";
    String port =
        parts.group(3) == null || parts.group(3).equals(implied) ? "" : ":" + parts.group(3);
    if (!parts.group(2).contains("*")) {
      return Optional.of(
          StringMatcher.newBuilder()
              .setExact(scheme + "://" + parts.group(2) + port)
              .setIgnoreCase(true)
              .build());
    }
    String host = parts.group(2).replace(".", "\\.").replace("*", "[^/:]+");
    return Optional.of(matching("(?i)" + scheme + "://" + host + port));
  }

  private static StringMatcher matching(String expression) {
    return StringMatcher.newBuilder()
        .setSafeRegex(RegularExpression.of(expression).orElseThrow().matcher())
        .build();
  }
}
