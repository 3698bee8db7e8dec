package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.config.route.v3.QueryParameterMatcher;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPPathMatch;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPQueryParamMatch;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteMatch;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Translates what an HTTPRoute asks of requests. */
final class HttpMatches {
  private static final Set<String> METHODS =
      Set.of("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH");

  /** What the API takes for a path (its CRD says so too). */
  private static final Pattern PATH =
      Pattern.compile("/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*");

  private static final List<String> NOT_IN_A_PATH = List.of("//", "/./", "/../", "%2f", "%2F", "#");

  // The API leaves open where regular expressions go: among paths, between the exact and prefixes,
  // since one that went after "/" would never be asked.
  private static final int EXACT = 2;
  private static final int EXPRESSION = 1;
  private static final int PREFIX = 0;

  private HttpMatches() {}

  /** A condition on the path, and how closely it describes it. */
  private record Path(RouteMatch.Builder match, int kind, int length, Optional<String> prefix) {}

  /**
   * Translates the matches of a rule.
   *
   * @return those that can be asked for; the rule's problems say what is wrong with the others
   */
  static List<RequestMatch> of(List<HTTPRouteMatch> matches, Problems.Rule rule) {
    return RuleMatches.of(matches, new HTTPRouteMatch(), (match, field) -> of(match, rule, field));
  }

  private static Optional<RequestMatch> of(HTTPRouteMatch match, Problems.Rule rule, String field) {
    Optional<Path> path = path(match.getPath(), rule, field + ".path");
    Optional<List<HeaderMatcher>> headers =
        HeaderMatches.of(
            Lists.orEmpty(match.getHeaders()).stream()
                .map(
                    header ->
                        new HeaderMatches.Asked(
                            header.getType(), header.getName(), header.getValue()))
                .toList(),
            rule,
            field + ".headers");
    Optional<List<QueryParameterMatcher>> parameters =
        parameters(Lists.orEmpty(match.getQueryParams()), rule, field + ".queryParams");
    String method = match.getMethod() == null ? "" : match.getMethod();
    boolean knownMethod = method.isEmpty() || METHODS.contains(method);
    if (!knownMethod) {
      rule.unsupported(field + ".method", "\"" + method + "\" is not known");
    }
    boolean complete = knows(match, rule, field);
    if (path.isEmpty() || headers.isEmpty() || parameters.isEmpty() || !knownMethod || !complete) {
      return Optional.empty();
    }
    RouteMatch.Builder built = path.get().match();
    if (!method.isEmpty()) {
      built.addHeaders(
          HeaderMatcher.newBuilder()
              .setName(":method")
              .setStringMatch(StringMatcher.newBuilder().setExact(method)));
    }
    built.addAllHeaders(headers.get()).addAllQueryParameters(parameters.get());
    return Optional.of(
        new RequestMatch(
            built.build(),
            Specificity.of(
                path.get().kind(),
                path.get().length(),
                method.isEmpty() ? 0 : 1,
                headers.get().size(),
                parameters.get().size()),
            path.get().prefix()));
  }

  private static boolean knows(HTTPRouteMatch match, Problems.Rule rule, String field) {
    RuleMatches.Unknown unknown =
        new RuleMatches.Unknown().add(field, match.getAdditionalProperties());
    if (match.getPath() != null) {
      unknown.add(field + ".path", match.getPath().getAdditionalProperties());
    }
    Lists.orEmpty(match.getHeaders())
        .forEach(header -> unknown.add(field + ".headers", header.getAdditionalProperties()));
    Lists.orEmpty(match.getQueryParams())
        .forEach(
            parameter -> unknown.add(field + ".queryParams", parameter.getAdditionalProperties()));
    return unknown.isNone(rule);
  }

  private static Optional<Path> path(
      @Nullable HTTPPathMatch path, Problems.Rule rule, String field) {
    String type = path == null || path.getType() == null ? "PathPrefix" : path.getType();
    String value = path == null || path.getValue() == null ? "/" : path.getValue();
    switch (type) {
      case "Exact" -> {
        return checked(value, rule, field)
            .map(
                each ->
                    new Path(
                        RouteMatch.newBuilder().setPath(each),
                        EXACT,
                        each.length(),
                        Optional.empty()));
      }
      case "PathPrefix" -> {
        return checked(value, rule, field).map(HttpMatches::prefix);
      }
      case "RegularExpression" -> {
        Optional<RegularExpression> expression = RegularExpression.of(value);
        if (expression.isEmpty()) {
          rule.unsupported(field + ".value", HeaderMatches.notAnExpression(value));
        }
        return expression.map(
            each ->
                new Path(
                    RouteMatch.newBuilder().setSafeRegex(each.matcher()),
                    EXPRESSION,
                    value.length(),
                    Optional.empty()));
      }
      default -> {
        rule.unsupported(field + ".type", "\"" + type + "\" is not known");
        return Optional.empty();
      }
    }
  }

  private static Optional<String> checked(String value, Problems.Rule rule, String field) {
    if (!PATH.matcher(value).matches()
        || NOT_IN_A_PATH.stream().anyMatch(value::contains)
        || value.endsWith("/.")
        || value.endsWith("/..")) {
      rule.unsupported(field + ".value", "\"" + value + "\" is not a path");
      return Optional.empty();
    }
    return Optional.of(value);
  }

  private static Path prefix(String value) {
    String prefix = value.endsWith("/") ? value.substring(0, value.length() - 1) : value;
    RouteMatch.Builder match = RouteMatch.newBuilder();
    if (prefix.isEmpty()) {
      match.setPrefix("/");
    } else {
      match.setPathSeparatedPrefix(prefix);
    }
    return new Path(match, PREFIX, Math.max(1, prefix.length()), Optional.of(prefix));
  }

  private static Optional<List<QueryParameterMatcher>> parameters(
      List<HTTPQueryParamMatch> parameters, Problems.Rule rule, String field) {
    List<QueryParameterMatcher> matchers = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    boolean usable = true;
    for (int i = 0; i < parameters.size(); i++) {
      HTTPQueryParamMatch parameter = parameters.get(i);
      String path = field + "[" + i + "]";
      String name = parameter.getName() == null ? "" : parameter.getName();
      if (name.isEmpty() || name.length() > 1024) {
        rule.unsupported(path + ".name", "is not a name of at most 1024 characters");
        usable = false;
        continue;
      }
      if (!seen.add(name)) {
        continue;
      }
      Optional<StringMatcher> value =
          HeaderMatches.string(parameter.getType(), parameter.getValue(), rule, path);
      if (value.isEmpty()) {
        usable = false;
        continue;
      }
      matchers.add(
          QueryParameterMatcher.newBuilder().setName(name).setStringMatch(value.get()).build());
    }
    return usable ? Optional.of(matchers) : Optional.empty();
  }
}
