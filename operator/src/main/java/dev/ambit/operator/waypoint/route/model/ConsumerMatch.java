package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.type.matcher.v3.FilterStateMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Tells the clients of a namespace, by the principal that their certificates prove. */
final class ConsumerMatch {
  private ConsumerMatch() {}

  static FilterStateMatcher of(String namespace, TrustDomains trustDomains) {
    StringMatcher.Builder principal = StringMatcher.newBuilder();
    if (trustDomains.aliases().isEmpty()) {
      // With the slash: another namespace's name may begin with this one's.
      principal.setPrefix("spiffe://%s/ns/%s/".formatted(trustDomains.own(), namespace));
    } else {
      String domains =
          Stream.concat(Stream.of(trustDomains.own()), trustDomains.aliases().stream())
              .map(com.google.re2j.Pattern::quote)
              .collect(Collectors.joining("|"));
      principal.setSafeRegex(
          RegularExpression.of(
                  "spiffe://(?:%s)/ns/%s/.*"
                      .formatted(domains, com.google.re2j.Pattern.quote(namespace)))
              .orElseThrow()
              .matcher());
    }
    return FilterStateMatcher.newBuilder()
        .setKey(FilterState.PEER_PRINCIPAL)
        .setStringMatch(principal)
        .build();
  }
}
