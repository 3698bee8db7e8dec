package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCMethodMatch;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRouteMatch;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Translates what a GRPCRoute asks of requests. */
final class GrpcMatches {
  private static final Pattern SERVICE =
      Pattern.compile("(?i)\\.?[a-z_][a-z_0-9]*(\\.[a-z_][a-z_0-9]*)*");
  private static final Pattern METHOD = Pattern.compile("[A-Za-z_][A-Za-z_0-9]*");

  private static final int EXACT = 2;
  private static final int EXPRESSION = 1;
  private static final int ANY = 0;

  private GrpcMatches() {}

  /** A condition on service and method, and how closely it describes them. */
  private record Method(RouteMatch.Builder match, int kind, int service, int method) {}

  /**
   * Translates the matches of a rule.
   *
   * @return those that can be asked for; the rule's problems say what is wrong with the others
   */
  static List<RequestMatch> of(List<GRPCRouteMatch> matches, Problems.Rule rule) {
    return RuleMatches.of(matches, new GRPCRouteMatch(), (match, field) -> of(match, rule, field));
  }

  private static Optional<RequestMatch> of(GRPCRouteMatch match, Problems.Rule rule, String field) {
    Optional<Method> method = method(match.getMethod(), rule, field + ".method");
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
    boolean complete = knows(match, rule, field);
    if (method.isEmpty() || headers.isEmpty() || !complete) {
      return Optional.empty();
    }
    return Optional.of(
        new RequestMatch(
            method.get().match().addAllHeaders(headers.get()).build(),
            Specificity.of(
                method.get().kind(),
                method.get().service(),
                method.get().method(),
                headers.get().size()),
            Optional.empty()));
  }

  private static boolean knows(GRPCRouteMatch match, Problems.Rule rule, String field) {
    RuleMatches.Unknown unknown =
        new RuleMatches.Unknown().add(field, match.getAdditionalProperties());
    if (match.getMethod() != null) {
      unknown.add(field + ".method", match.getMethod().getAdditionalProperties());
    }
    Lists.orEmpty(match.getHeaders())
        .forEach(header -> unknown.add(field + ".headers", header.getAdditionalProperties()));
    return unknown.isNone(rule);
  }

  private static Optional<Method> method(
      @Nullable GRPCMethodMatch match, Problems.Rule rule, String field) {
    String service = match == null || match.getService() == null ? "" : match.getService();
    String method = match == null || match.getMethod() == null ? "" : match.getMethod();
    if (service.isEmpty() && method.isEmpty()) {
      return Optional.of(new Method(RouteMatch.newBuilder().setPrefix("/"), ANY, 0, 0));
    }
    String type = match == null || match.getType() == null ? "Exact" : match.getType();
    return switch (type) {
      case "Exact" -> exact(service, method, rule, field);
      case "RegularExpression" -> expression(service, method, rule, field);
      default -> {
        rule.unsupported(field + ".type", "\"" + type + "\" is not known");
        yield Optional.empty();
      }
    };
  }

  private static Optional<Method> exact(
      String service, String method, Problems.Rule rule, String field) {
    if (!service.isEmpty() && !SERVICE.matcher(service).matches()) {
      rule.unsupported(field + ".service", "\"" + service + "\" is not the name of a service");
      return Optional.empty();
    }
    if (!method.isEmpty() && !METHOD.matcher(method).matches()) {
      rule.unsupported(field + ".method", "\"" + method + "\" is not the name of a method");
      return Optional.empty();
    }
    RouteMatch.Builder match = RouteMatch.newBuilder();
    if (method.isEmpty()) {
      match.setPrefix("/" + service + "/");
    } else if (service.isEmpty()) {
      match.setSafeRegex(RegularExpression.of("/[^/]+/" + method).orElseThrow().matcher());
    } else {
      match.setPath("/" + service + "/" + method);
    }
    return Optional.of(new Method(match, EXACT, service.length(), method.length()));
  }

  private static Optional<Method> expression(
      String service, String method, Problems.Rule rule, String field) {
    // Each by itself: together, what opens a group in one could end in the other.
    boolean usable = true;
    if (!service.isEmpty() && RegularExpression.of(service).isEmpty()) {
      rule.unsupported(field + ".service", HeaderMatches.notAnExpression(service));
      usable = false;
    }
    if (!method.isEmpty() && RegularExpression.of(method).isEmpty()) {
      rule.unsupported(field + ".method", HeaderMatches.notAnExpression(method));
      usable = false;
    }
    if (!usable) {
      return Optional.empty();
    }
    Optional<RegularExpression> both =
        RegularExpression.of(
            "/"
                + (service.isEmpty() ? "[^/]+" : "(?:" + service + ")")
                + "/"
                + (method.isEmpty() ? "[^/]+" : "(?:" + method + ")"));
    if (both.isEmpty()) {
      rule.unsupported(field, "is longer than a regular expression may be");
    }
    return both.map(
        each ->
            new Method(
                RouteMatch.newBuilder().setSafeRegex(each.matcher()),
                EXPRESSION,
                service.length(),
                method.length()));
  }
}
