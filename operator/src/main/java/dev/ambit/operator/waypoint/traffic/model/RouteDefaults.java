package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.route.model.HttpPortRoutes;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.config.route.v3.RetryPolicy;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import io.envoyproxy.envoy.config.route.v3.WeightedCluster;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What holds for routes of whatever kind where they say nothing: no timeout, Istio's retries, and
 * hashing where a DestinationRule balances by it.
 */
public final class RouteDefaults {
  /** RFC 9110, section 9.2.2: may be repeated when it is not known whether they were done. */
  private static final List<String> IDEMPOTENT =
      List.of("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE");

  private static final String METHOD = ":method";
  private static final String CONNECT_FAILURE = "connect-failure";
  private static final String RESET = "reset";

  private RouteDefaults() {}

  /** Adds to routes what they do not say themselves. */
  public static HttpPortRoutes complete(
      HttpPortRoutes routes, Function<Backend, ClusterPolicy> policies) {
    Map<String, Backend> backends =
        routes.backends().stream()
            .collect(Collectors.toMap(Backend::clusterName, Function.identity(), (one, _) -> one));
    List<VirtualHost> completed = new ArrayList<>();
    for (VirtualHost host : routes.virtualHosts()) {
      VirtualHost.Builder builder = host.toBuilder().clearRoutes();
      for (Route route : host.getRoutesList()) {
        if (route.hasRoute()) {
          List<Backend> targets = targets(route.getRoute(), backends);
          Route whole =
              route.toBuilder().setRoute(complete(route.getRoute(), targets, policies)).build();
          builder.addAllRoutes(withResets(whole, targets));
        } else {
          builder.addRoutes(route);
        }
      }
      completed.add(builder.build());
    }
    return new HttpPortRoutes(completed, routes.backends());
  }

  private static List<Backend> targets(RouteAction action, Map<String, Backend> backends) {
    List<String> clusters =
        action.hasWeightedClusters()
            ? action.getWeightedClusters().getClustersList().stream()
                .map(WeightedCluster.ClusterWeight::getName)
                .toList()
            : List.of(action.getCluster());
    return clusters.stream()
        .flatMap(cluster -> Optional.ofNullable(backends.get(cluster)).stream())
        .toList();
  }

  private static RouteAction complete(
      RouteAction action, List<Backend> targets, Function<Backend, ClusterPolicy> policies) {
    RouteAction.Builder completed = action.toBuilder();
    if (!action.hasTimeout()) {
      completed.setTimeout(Durations.NONE);
    }
    if (!action.hasMaxStreamDuration() && completed.getTimeout().equals(Durations.NONE)) {
      // A deadline that a gRPC client states holds. With it, Envoy heeds no timeout of the route.
      completed.setMaxStreamDuration(
          RouteAction.MaxStreamDuration.newBuilder().setGrpcTimeoutHeaderMax(Durations.NONE));
    }
    RetryPolicy retries = action.getRetryPolicy();
    if (retries.getRetryOn().isEmpty() && !retries.hasNumRetries()) {
      completed.setRetryPolicy(Retries.standard().toBuilder().mergeFrom(retries));
    }
    Set<RouteAction.HashPolicy> hashes = new LinkedHashSet<>();
    targets.forEach(target -> policies.apply(target).hash().ifPresent(hashes::add));
    if (action.getHashPolicyCount() == 0) {
      completed.addAllHashPolicy(hashes);
    }
    if (targets.size() == 1 && !hashes.isEmpty()) {
      completed.setRetryPolicy(Retries.anywhere(completed.getRetryPolicy()));
    }
    return completed.build();
  }

  /**
   * A route whose retries are for endpoints that cannot be reached. That an endpoint of the mesh
   * cannot be reached shows as a reset, after the request has been given to the tunnel; so what may
   * be repeated is tried again after a reset too.
   */
  private static List<Route> withResets(Route route, List<Backend> targets) {
    RetryPolicy retries = route.getRoute().getRetryPolicy();
    List<String> conditions = Arrays.asList(retries.getRetryOn().split(","));
    boolean grpc =
        !targets.isEmpty()
            && targets.stream().allMatch(target -> target.protocol() == PortProtocol.GRPC);
    if (grpc
        || !conditions.contains(CONNECT_FAILURE)
        || conditions.contains(RESET)
        || retries.getRetriableRequestHeadersCount() > 0) {
      return List.of(route);
    }
    Route.Builder repeated = route.toBuilder();
    repeated
        .getRouteBuilder()
        .getRetryPolicyBuilder()
        .setRetryOn(retries.getRetryOn() + "," + RESET);
    Optional<String> method = method(route);
    if (method.isPresent()) {
      return List.of(IDEMPOTENT.contains(method.get()) ? repeated.build() : route);
    }
    repeated
        .getMatchBuilder()
        .addHeaders(
            HeaderMatcher.newBuilder()
                .setName(METHOD)
                .setStringMatch(
                    StringMatcher.newBuilder()
                        .setSafeRegex(
                            RegexMatcher.newBuilder().setRegex(String.join("|", IDEMPOTENT)))));
    return List.of(repeated.build(), route);
  }

  private static Optional<String> method(Route route) {
    return route.getMatch().getHeadersList().stream()
        .filter(header -> header.getName().equals(METHOD) && !header.getInvertMatch())
        .map(header -> header.getStringMatch().getExact())
        .filter(exact -> !exact.isEmpty())
        .findFirst();
  }
}
