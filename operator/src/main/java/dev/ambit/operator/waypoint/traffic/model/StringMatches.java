package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatch;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatchExact;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatchPrefix;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatchRegex;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** How Istio's kinds compare strings. */
final class StringMatches {
  private StringMatches() {}

  /** What a comparison comes to. */
  sealed interface Comparison {}

  /** It is enough that there is a value. */
  record Present() implements Comparison {}

  /** The value has to be such. */
  record Fits(StringMatcher matcher) implements Comparison {}

  /** It is none that Envoy could make, so nothing fits. */
  record Never() implements Comparison {}

  static Comparison of(String path, @Nullable StringMatch match, Findings findings) {
    if (match == null) {
      return new Present();
    }
    if (hasMore(match)) {
      findings.add(path, "has more than one of exact, prefix and regex; it never matches");
      return new Never();
    }
    return switch (match.getMatchType()) {
      case null -> new Present();
      case StringMatchExact exact ->
          new Fits(StringMatcher.newBuilder().setExact(orEmpty(exact.getExact())).build());
      case StringMatchPrefix prefix when orEmpty(prefix.getPrefix()).isEmpty() -> new Present();
      case StringMatchPrefix prefix ->
          new Fits(StringMatcher.newBuilder().setPrefix(prefix.getPrefix()).build());
      // Istio's own sign for any value, and no regular expression.
      case StringMatchRegex regex when orEmpty(regex.getRegex()).equals("*") -> new Present();
      case StringMatchRegex regex ->
          RegularExpression.of(orEmpty(regex.getRegex()))
              .<Comparison>map(
                  expression ->
                      new Fits(
                          StringMatcher.newBuilder().setSafeRegex(expression.matcher()).build()))
              .orElseGet(
                  () -> {
                    findings.add(
                        path + ".regex",
                        "is not a regular expression that Envoy takes (RE2); it never matches");
                    return new Never();
                  });
      default -> {
        findings.add(path, "is not known; it never matches");
        yield new Never();
      }
    };
  }

  private static boolean hasMore(StringMatch match) {
    Map<String, Object> more =
        switch (match.getMatchType()) {
          case StringMatchExact exact -> exact.getAdditionalProperties();
          case StringMatchPrefix prefix -> prefix.getAdditionalProperties();
          case StringMatchRegex regex -> regex.getAdditionalProperties();
          case null, default -> Map.of();
        };
    return (more != null && !more.isEmpty())
        || (match.getAdditionalProperties() != null && !match.getAdditionalProperties().isEmpty());
  }

  private static String orEmpty(@Nullable String text) {
    return text == null ? "" : text;
  }
}
