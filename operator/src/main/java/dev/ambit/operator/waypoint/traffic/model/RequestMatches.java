package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.BoolValue;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.model.TokenMetadata;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Comparison;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Fits;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Never;
import dev.ambit.operator.waypoint.traffic.model.StringMatches.Present;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.config.route.v3.QueryParameterMatcher;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.type.matcher.v3.FilterStateMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ListMatcher;
import io.envoyproxy.envoy.type.matcher.v3.MetadataMatcher;
import io.envoyproxy.envoy.type.matcher.v3.OrMatcher;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ValueMatcher;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPMatchRequest;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatch;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which requests a rule of a VirtualService is for. What a waypoint cannot decide makes a match one
 * that never matches, so that no rule gets requests that were not meant for it.
 */
final class RequestMatches {
  /** Where a gateway of its own is not named, rules are for the mesh. */
  static final String MESH = "mesh";

  static final RouteMatch ANY = RouteMatch.newBuilder().setPrefix("/").build();

  private static final String CLAIMS = "@request.auth.claims";
  private static final Pattern CLAIM = Pattern.compile("\\.([^.\\[\\]]+)|\\[([^\\[\\]]+)\\]");
  private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?");

  private final String path;
  private final Findings findings;
  private final RouteMatch.Builder result = RouteMatch.newBuilder();
  private boolean never;

  private RequestMatches(String path, Findings findings) {
    this.path = path;
    this.findings = findings;
  }

  /** Translates for a port; empty where no request of it matches. */
  static Optional<RouteMatch> translate(
      String path, HTTPMatchRequest match, int port, Findings findings) {
    if (match.getPort() != null && match.getPort() != 0 && match.getPort() != port) {
      return Optional.empty();
    }
    if (!isForMesh(match.getGateways())) {
      return Optional.empty();
    }
    RequestMatches matches = new RequestMatches(path, findings);
    matches.build(match);
    return matches.never ? Optional.empty() : Optional.of(matches.result.build());
  }

  static boolean isForMesh(@Nullable List<String> gateways) {
    return gateways == null || gateways.isEmpty() || gateways.contains(MESH);
  }

  private void build(HTTPMatchRequest match) {
    uri(match);
    if (match.getMethod() != null) {
      header("method", ":method", match.getMethod());
    }
    if (match.getAuthority() != null) {
      header("authority", ":authority", match.getAuthority());
    }
    if (match.getScheme() != null) {
      header("scheme", ":scheme", match.getScheme());
    }
    sorted(match.getHeaders())
        .forEach((name, value) -> header("headers[" + name + "]", name, value));
    sorted(match.getWithoutHeaders())
        .forEach((name, value) -> without("withoutHeaders[" + name + "]", name, value));
    sorted(match.getQueryParams()).forEach(this::query);
    if (match.getSourceLabels() != null && !match.getSourceLabels().isEmpty()) {
      never(
          path + ".sourceLabels",
          "a waypoint knows its clients' identities and not their labels; it never matches");
    }
    if (match.getSourceNamespace() != null && !match.getSourceNamespace().isEmpty()) {
      namespace(match.getSourceNamespace());
    }
    if (match.getAdditionalProperties() != null) {
      match
          .getAdditionalProperties()
          .keySet()
          .forEach(field -> never(path + "." + field, "is not known; it never matches"));
    }
  }

  private void uri(HTTPMatchRequest match) {
    result.setPrefix("/");
    boolean ignoreCase = Boolean.TRUE.equals(match.getIgnoreUriCase());
    if (match.getUri() != null) {
      switch (StringMatches.of(path + ".uri", match.getUri(), findings)) {
        case Present() -> {}
        case Never() -> never = true;
        case Fits(StringMatcher matcher) -> {
          switch (matcher.getMatchPatternCase()) {
            case EXACT -> result.setPath(matcher.getExact());
            case PREFIX -> result.setPrefix(matcher.getPrefix());
            case SAFE_REGEX -> {
              result.setSafeRegex(matcher.getSafeRegex());
              if (ignoreCase) {
                findings.add(
                    path + ".ignoreUriCase", "has no effect on a regex; begin it with (?i)");
              }
            }
            default -> never = true;
          }
        }
      }
    }
    if (ignoreCase) {
      result.setCaseSensitive(BoolValue.of(false));
    }
  }

  private void header(String field, String name, @Nullable StringMatch value) {
    if (name.startsWith(CLAIMS)) {
      claim(field, name, value, false);
      return;
    }
    if (!accepted(field, name)) {
      return;
    }
    switch (StringMatches.of(path + "." + field, value, findings)) {
      case Present() ->
          result.addHeaders(HeaderMatcher.newBuilder().setName(name).setPresentMatch(true));
      case Fits(StringMatcher matcher) ->
          result.addHeaders(HeaderMatcher.newBuilder().setName(name).setStringMatch(matcher));
      case Never() -> never = true;
    }
  }

  private void without(String field, String name, @Nullable StringMatch value) {
    if (name.startsWith(CLAIMS)) {
      claim(field, name, value, true);
      return;
    }
    if (!accepted(field, name)) {
      return;
    }
    HeaderMatcher.Builder header = HeaderMatcher.newBuilder().setName(name).setInvertMatch(true);
    switch (StringMatches.of(path + "." + field, value, findings)) {
      case Present() -> result.addHeaders(header.setPresentMatch(true));
      case Fits(StringMatcher matcher) ->
          result.addHeaders(header.setStringMatch(matcher).setTreatMissingHeaderAsEmpty(true));
      // A value that nothing has is absent from all requests; but what was meant is not known.
      case Never() -> never = true;
    }
  }

  private boolean accepted(String field, String name) {
    if (!HeaderNames.isValid(name)) {
      never(path + "." + field, "is not the name of a header; it never matches");
      return false;
    }
    return true;
  }

  /** What a token that a RequestAuthentication has found good says; nested names as in Istio. */
  private void claim(String field, String name, @Nullable StringMatch value, boolean inverted) {
    Matcher names = CLAIM.matcher(name.substring(CLAIMS.length()));
    MetadataMatcher.Builder claim =
        MetadataMatcher.newBuilder()
            .setFilter(TokenMetadata.FILTER)
            .addPath(MetadataMatcher.PathSegment.newBuilder().setKey(TokenMetadata.PAYLOAD))
            .setInvert(inverted);
    int end = 0;
    while (names.find() && names.start() == end) {
      String key = names.group(1) != null ? names.group(1) : names.group(2);
      claim.addPath(MetadataMatcher.PathSegment.newBuilder().setKey(key));
      end = names.end();
    }
    if (end == 0 || end != name.length() - CLAIMS.length()) {
      never(path + "." + field, "names no claim; it never matches");
      return;
    }
    switch (StringMatches.of(path + "." + field, value, findings)) {
      case Present() ->
          result.addDynamicMetadata(
              claim.setValue(ValueMatcher.newBuilder().setPresentMatch(true)));
      case Fits(StringMatcher matcher) -> {
        ValueMatcher text = ValueMatcher.newBuilder().setStringMatch(matcher).build();
        ValueMatcher element =
            ValueMatcher.newBuilder().setListMatch(ListMatcher.newBuilder().setOneOf(text)).build();
        result.addDynamicMetadata(
            claim.setValue(
                ValueMatcher.newBuilder()
                    .setOrMatch(
                        OrMatcher.newBuilder().addValueMatchers(text).addValueMatchers(element))));
      }
      case Never() -> never = true;
    }
  }

  private void query(String name, StringMatch value) {
    String field = "queryParams[" + name + "]";
    if (name.isEmpty() || name.length() > 1024) {
      never(path + "." + field, "is not the name of a parameter; it never matches");
      return;
    }
    QueryParameterMatcher.Builder parameter = QueryParameterMatcher.newBuilder().setName(name);
    Comparison comparison = StringMatches.of(path + "." + field, value, findings);
    switch (comparison) {
      case Present() -> result.addQueryParameters(parameter.setPresentMatch(true));
      case Fits(StringMatcher matcher) ->
          result.addQueryParameters(parameter.setStringMatch(matcher));
      case Never() -> never = true;
    }
  }

  private void namespace(String namespace) {
    if (!NAMESPACE.matcher(namespace).matches()) {
      never(path + ".sourceNamespace", "is not the name of a namespace; it never matches");
      return;
    }
    result.addFilterState(
        FilterStateMatcher.newBuilder()
            .setKey(FilterState.PEER_PRINCIPAL)
            .setStringMatch(
                StringMatcher.newBuilder()
                    .setSafeRegex(
                        RegexMatcher.newBuilder()
                            .setRegex("spiffe://[^/]+/ns/" + namespace + "/sa/[^/]+"))));
  }

  private void never(String path, String effect) {
    findings.add(path, effect);
    never = true;
  }

  private static Map<String, StringMatch> sorted(@Nullable Map<String, StringMatch> map) {
    return map == null ? Map.of() : new TreeMap<>(map);
  }
}
