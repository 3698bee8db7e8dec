package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.Any;
import com.google.protobuf.BoolValue;
import com.google.protobuf.ByteString;
import com.google.protobuf.UInt32Value;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.RegularExpression;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.RuntimeFractionalPercent;
import io.envoyproxy.envoy.config.route.v3.DirectResponseAction;
import io.envoyproxy.envoy.config.route.v3.RedirectAction;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.WeightedCluster;
import io.envoyproxy.envoy.type.v3.FractionalPercent;
import io.fabric8.istio.api.api.networking.v1alpha3.Destination;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPBodyBytes;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPBodyString;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPDirectResponse;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPMatchRequest;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPMirrorPolicy;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRedirect;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRedirectDerivePort;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRedirectPort;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRedirectRedirectPortSelection;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRewrite;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRoute;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRouteDestination;
import io.fabric8.istio.api.api.networking.v1alpha3.Percent;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Translates rules for requests to Envoy's routes, for one port of a service. */
public final class HttpRules {
  /** Never the name of a cluster: requests that are sent to it are answered with 503. */
  static final String NOWHERE = "nowhere";

  /** As long as waypoints' route configurations allow; Istio has the same limit. */
  public static final int LONGEST_BODY = 1024 * 1024;

  private static final String FAULT = "envoy.filters.http.fault";
  private static final String CORS = "envoy.filters.http.cors";

  private final Destinations destinations;
  private final int port;
  private final Set<Backend> backends = new HashSet<>();
  private final List<Route> routes = new ArrayList<>();
  private boolean complete;

  HttpRules(Destinations destinations, int port) {
    this.destinations = destinations;
    this.port = port;
  }

  List<Route> routes() {
    return List.copyOf(routes);
  }

  /** Whether one of the rules takes every request, so that later ones get none. */
  boolean isComplete() {
    return complete;
  }

  Set<Backend> backends() {
    return Set.copyOf(backends);
  }

  /** Adds the routes of a rule behind those that are there. */
  void add(HttpRule rule) {
    HTTPRoute spec = rule.spec();
    rule.findings().unknown(rule.path(), spec.getAdditionalProperties());
    if (complete) {
      return;
    }
    List<HTTPMatchRequest> matches = spec.getMatch();
    if (matches == null || matches.isEmpty()) {
      routes.add(route(rule, RequestMatches.ANY, "", ""));
      complete = true;
      return;
    }
    for (int i = 0; i < matches.size(); i++) {
      HTTPMatchRequest match = matches.get(i);
      RouteMatch translated =
          RequestMatches.translate(rule.path() + ".match[" + i + "]", match, port, rule.findings())
              .orElse(null);
      if (translated == null) {
        continue;
      }
      routes.add(route(rule, translated, orEmpty(match.getName()), orEmpty(match.getStatPrefix())));
      if (translated.equals(RequestMatches.ANY)) {
        complete = true;
        return;
      }
    }
  }

  private Route route(HttpRule rule, RouteMatch match, String matchName, String statPrefix) {
    HTTPRoute spec = rule.spec();
    Findings findings = rule.findings();
    String path = rule.path();
    String name = orEmpty(spec.getName());
    Route.Builder route =
        Route.newBuilder()
            .setName(matchName.isEmpty() ? name : name + "." + matchName)
            // Metrics' labels are cut at dots.
            .setStatPrefix(statPrefix.replace('.', '_'))
            .setMatch(match);
    HeaderOperations operations =
        HeaderOperations.translate(path + ".headers", spec.getHeaders(), findings);
    addTo(route, operations);
    if (spec.getRedirect() != null) {
      redirect(path + ".redirect", spec.getRedirect(), route, findings);
    } else if (spec.getDirectResponse() != null) {
      respond(path + ".directResponse", spec.getDirectResponse(), route, findings);
    } else {
      route.setRoute(forward(rule, operations, route));
    }
    Faults.translate(path + ".fault", spec.getFault(), findings)
        .ifPresent(fault -> route.putTypedPerFilterConfig(FAULT, Any.pack(fault)));
    CrossOrigin.translate(path + ".corsPolicy", spec.getCorsPolicy(), findings)
        .ifPresent(policy -> route.putTypedPerFilterConfig(CORS, Any.pack(policy)));
    return route.build();
  }

  private static void addTo(Route.Builder route, HeaderOperations operations) {
    route
        .addAllRequestHeadersToAdd(operations.requestAdditions())
        .addAllRequestHeadersToRemove(operations.requestRemovals())
        .addAllResponseHeadersToAdd(operations.responseAdditions())
        .addAllResponseHeadersToRemove(operations.responseRemovals());
  }

  private RouteAction forward(HttpRule rule, HeaderOperations operations, Route.Builder route) {
    HTTPRoute spec = rule.spec();
    Findings findings = rule.findings();
    String path = rule.path();
    RouteAction.Builder action = RouteAction.newBuilder();
    action.setTimeout(
        Durations.of(path + ".timeout", spec.getTimeout(), findings).orElse(Durations.NONE));
    action.setRetryPolicy(Retries.translate(path + ".retries", spec.getRetries(), findings));
    Optional<String> authority = operations.authority();
    if (spec.getRewrite() != null) {
      rewrite(path + ".rewrite", spec.getRewrite(), action, findings);
      if (!orEmpty(spec.getRewrite().getAuthority()).isEmpty()) {
        authority = Optional.of(spec.getRewrite().getAuthority());
      }
    }
    authority.ifPresent(action::setHostRewriteLiteral);
    mirrors(rule, action);
    destinations(rule, action, route);
    return action.build();
  }

  private void destinations(HttpRule rule, RouteAction.Builder action, Route.Builder route) {
    Findings findings = rule.findings();
    String path = rule.path() + ".route";
    List<HTTPRouteDestination> all = orEmpty(rule.spec().getRoute());
    if (all.isEmpty()) {
      findings.add(
          path, "there is neither a route nor a redirect or directResponse, so requests fail");
      action.setCluster(NOWHERE);
      return;
    }
    if (all.size() == 1) {
      HTTPRouteDestination only = all.getFirst();
      HeaderOperations operations =
          HeaderOperations.translate(path + "[0].headers", only.getHeaders(), findings);
      addTo(route, operations);
      // The rule's own goes first: Envoy would have it the other way round with several.
      if (action.getHostRewriteLiteral().isEmpty()) {
        operations.authority().ifPresent(action::setHostRewriteLiteral);
      }
      action.setCluster(cluster(rule, path + "[0].destination", only.getDestination()));
      findings.unknown(path + "[0]", only.getAdditionalProperties());
      return;
    }
    WeightedCluster.Builder weighted = WeightedCluster.newBuilder();
    for (int i = 0; i < all.size(); i++) {
      HTTPRouteDestination each = all.get(i);
      String at = path + "[" + i + "]";
      findings.unknown(at, each.getAdditionalProperties());
      String cluster = cluster(rule, at + ".destination", each.getDestination());
      HeaderOperations operations =
          HeaderOperations.translate(at + ".headers", each.getHeaders(), findings);
      int weight = each.getWeight() == null ? 0 : each.getWeight();
      if (weight < 0) {
        findings.add(at + ".weight", "is less than 0; it is taken for 0");
      }
      if (weight <= 0) {
        continue;
      }
      WeightedCluster.ClusterWeight.Builder share =
          WeightedCluster.ClusterWeight.newBuilder()
              .setName(cluster)
              .setWeight(UInt32Value.of(weight))
              .addAllRequestHeadersToAdd(operations.requestAdditions())
              .addAllRequestHeadersToRemove(operations.requestRemovals())
              .addAllResponseHeadersToAdd(operations.responseAdditions())
              .addAllResponseHeadersToRemove(operations.responseRemovals());
      operations.authority().ifPresent(share::setHostRewriteLiteral);
      weighted.addClusters(share);
    }
    if (weighted.getClustersCount() == 0) {
      findings.add(path, "no destination has a weight, so requests fail");
      action.setCluster(NOWHERE);
    } else {
      action.setWeightedClusters(weighted);
    }
  }

  private String cluster(HttpRule rule, String path, @Nullable Destination destination) {
    Optional<Backend> backend =
        destinations.find(path, destination, rule.namespace(), port, true, rule.findings());
    backend.ifPresent(backends::add);
    return backend.map(Backend::clusterName).orElse(NOWHERE);
  }

  private void mirrors(HttpRule rule, RouteAction.Builder action) {
    HTTPRoute spec = rule.spec();
    Findings findings = rule.findings();
    String path = rule.path();
    if (spec.getMirror() != null) {
      mirror(
          rule,
          path + ".mirror",
          spec.getMirror(),
          path + ".mirrorPercentage",
          spec.getMirrorPercentage(),
          spec.getMirrorPercent(),
          action);
    } else {
      findings.unlessAbsent(
          path + ".mirrorPercentage", spec.getMirrorPercentage(), "has no effect without mirror");
    }
    List<HTTPMirrorPolicy> policies = orEmpty(spec.getMirrors());
    for (int i = 0; i < policies.size(); i++) {
      HTTPMirrorPolicy policy = policies.get(i);
      String at = path + ".mirrors[" + i + "]";
      findings.unknown(at, policy.getAdditionalProperties());
      mirror(
          rule,
          at + ".destination",
          policy.getDestination(),
          at + ".percentage",
          policy.getPercentage(),
          null,
          action);
    }
  }

  private void mirror(
      HttpRule rule,
      String path,
      @Nullable Destination destination,
      String percentagePath,
      @Nullable Percent percentage,
      @Nullable Integer whole,
      RouteAction.Builder action) {
    FractionalPercent fraction =
        Percentages.of(percentagePath, percentage, whole, 100, rule.findings());
    if (fraction.getNumerator() == 0) {
      return;
    }
    destinations
        .find(path, destination, rule.namespace(), port, true, rule.findings())
        .ifPresent(
            backend -> {
              backends.add(backend);
              action.addRequestMirrorPolicies(
                  RouteAction.RequestMirrorPolicy.newBuilder()
                      .setCluster(backend.clusterName())
                      .setRuntimeFraction(
                          RuntimeFractionalPercent.newBuilder().setDefaultValue(fraction))
                      .setTraceSampled(BoolValue.of(false)));
            });
  }

  private static void rewrite(
      String path, HTTPRewrite rewrite, RouteAction.Builder action, Findings findings) {
    findings.unknown(path, rewrite.getAdditionalProperties());
    if (rewrite.getUriRegexRewrite() != null) {
      String at = path + ".uriRegexRewrite";
      Optional<RegularExpression> expression =
          RegularExpression.of(orEmpty(rewrite.getUriRegexRewrite().getMatch()));
      if (expression.isEmpty()) {
        findings.add(
            at + ".match",
            "is not a regular expression that Envoy takes (RE2); the path is left as it is");
      } else {
        expression
            .get()
            .replacedBy(orEmpty(rewrite.getUriRegexRewrite().getRewrite()))
            .ifPresentOrElse(
                action::setRegexRewrite,
                () ->
                    findings.add(
                        at + ".rewrite",
                        "refers to a group that match does not have; the path is left as it is"));
      }
      findings.unlessAbsent(
          path + ".uri", rewrite.getUri(), "has no effect beside uriRegexRewrite");
    } else if (!orEmpty(rewrite.getUri()).isEmpty()) {
      action.setPrefixRewrite(rewrite.getUri());
    }
  }

  private void redirect(
      String path, HTTPRedirect redirect, Route.Builder route, Findings findings) {
    findings.unknown(path, redirect.getAdditionalProperties());
    long code = redirect.getRedirectCode() == null ? 0 : redirect.getRedirectCode();
    Optional<RedirectAction.RedirectResponseCode> response =
        switch ((int) Math.clamp(code, -1, 1000)) {
          case 0, 301 -> Optional.of(RedirectAction.RedirectResponseCode.MOVED_PERMANENTLY);
          case 302 -> Optional.of(RedirectAction.RedirectResponseCode.FOUND);
          case 303 -> Optional.of(RedirectAction.RedirectResponseCode.SEE_OTHER);
          case 307 -> Optional.of(RedirectAction.RedirectResponseCode.TEMPORARY_REDIRECT);
          case 308 -> Optional.of(RedirectAction.RedirectResponseCode.PERMANENT_REDIRECT);
          default -> Optional.empty();
        };
    if (response.isEmpty()) {
      findings.add(
          path + ".redirectCode",
          "is none of 301, 302, 303, 307 and 308; requests are answered with 500");
      route.setDirectResponse(DirectResponseAction.newBuilder().setStatus(500));
      return;
    }
    String scheme = orEmpty(redirect.getScheme());
    RedirectAction.Builder action =
        RedirectAction.newBuilder()
            .setResponseCode(response.get())
            .setHostRedirect(orEmpty(redirect.getAuthority()));
    if (!orEmpty(redirect.getUri()).isEmpty()) {
      action.setPathRedirect(redirect.getUri());
    }
    if (!scheme.isEmpty()) {
      action.setSchemeRedirect(scheme);
    }
    int redirectPort =
        switch (redirect.getRedirectPort()) {
          case HTTPRedirectPort explicit when explicit.getPort() != null ->
              (int) Math.clamp(explicit.getPort(), 0, 65_535);
          case HTTPRedirectDerivePort derived
              when derived.getDerivePort() == HTTPRedirectRedirectPortSelection.FROM_REQUEST_PORT ->
              port;
          case null, default -> 0;
        };
    boolean usual =
        (redirectPort == 443 && scheme.equals("https"))
            || (redirectPort == 80 && (scheme.isEmpty() || scheme.equals("http")));
    route.setRedirect(action.setPortRedirect(usual ? 0 : redirectPort));
  }

  private static void respond(
      String path, HTTPDirectResponse response, Route.Builder route, Findings findings) {
    findings.unknown(path, response.getAdditionalProperties());
    long status = response.getStatus() == null ? 0 : response.getStatus();
    if (status < 200 || status > 599) {
      findings.add(path + ".status", "is not between 200 and 599; 500 is answered");
      status = 500;
    }
    DirectResponseAction.Builder action = DirectResponseAction.newBuilder().setStatus((int) status);
    if (response.getBody() != null) {
      Optional<ByteString> body =
          switch (response.getBody().getSpecifier()) {
            case HTTPBodyString text ->
                Optional.of(ByteString.copyFromUtf8(orEmpty(text.getString())));
            case HTTPBodyBytes bytes -> decoded(orEmpty(bytes.getBytes()));
            case null, default -> Optional.empty();
          };
      if (body.isEmpty() || body.get().size() > LONGEST_BODY) {
        findings.add(
            path + ".body", "is neither a string nor base64 of at most 1 MiB; none is answered");
      } else {
        action.setBody(DataSource.newBuilder().setInlineBytes(body.get()));
      }
    }
    route.setDirectResponse(action);
  }

  private static Optional<ByteString> decoded(String base64) {
    try {
      return Optional.of(ByteString.copyFrom(Base64.getDecoder().decode(base64)));
    } catch (IllegalArgumentException _) {
      return Optional.empty();
    }
  }

  private static String orEmpty(@Nullable String text) {
    return text == null ? "" : text;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
