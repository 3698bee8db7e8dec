package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.BoolValue;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Fits;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Never;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Present;
import io.envoyproxy.envoy.config.core.v3.RuntimeFractionalPercent;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.CorsPolicy;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.envoyproxy.envoy.type.v3.FractionalPercent;
import io.fabric8.istio.api.api.networking.v1alpha3.CorsPolicyUnmatchedPreflights;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatch;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Which other origins' pages may ask. */
final class CrossOrigin {
  private CrossOrigin() {}

  static Optional<CorsPolicy> translate(
      String path,
      io.fabric8.istio.api.api.networking.v1alpha3.@Nullable CorsPolicy policy,
      Findings findings) {
    if (policy == null) {
      return Optional.empty();
    }
    findings.unknown(path, policy.getAdditionalProperties());
    CorsPolicy.Builder result =
        CorsPolicy.newBuilder()
            .setFilterEnabled(
                RuntimeFractionalPercent.newBuilder()
                    .setDefaultValue(FractionalPercent.newBuilder().setNumerator(100)))
            .setForwardNotMatchingPreflights(
                BoolValue.of(
                    policy.getUnmatchedPreflights() != CorsPolicyUnmatchedPreflights.IGNORE))
            .setAllowMethods(joined(policy.getAllowMethods()))
            .setAllowHeaders(joined(policy.getAllowHeaders()))
            .setExposeHeaders(joined(policy.getExposeHeaders()));
    if (policy.getAllowCredentials() != null) {
      result.setAllowCredentials(BoolValue.of(policy.getAllowCredentials()));
    }
    Durations.of(path + ".maxAge", policy.getMaxAge(), findings)
        .ifPresent(age -> result.setMaxAge(String.valueOf(age.getSeconds())));
    List<StringMatch> origins = policy.getAllowOrigins();
    if (origins != null && !origins.isEmpty()) {
      for (int i = 0; i < origins.size(); i++) {
        switch (StringMatches.of(path + ".allowOrigins[" + i + "]", origins.get(i), findings)) {
          case Fits(StringMatcher matcher) -> result.addAllowOriginStringMatch(matcher);
          case Never() -> {}
          case Present() ->
              findings.add(path + ".allowOrigins[" + i + "]", "allows no origin, as it names none");
        }
      }
    } else if (policy.getAllowOrigin() != null) {
      policy
          .getAllowOrigin()
          .forEach(
              origin ->
                  result.addAllowOriginStringMatch(StringMatcher.newBuilder().setExact(origin)));
    }
    return Optional.of(result.build());
  }

  private static String joined(@Nullable List<String> values) {
    return values == null ? "" : String.join(",", values);
  }
}
