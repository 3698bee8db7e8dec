package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import io.envoyproxy.envoy.config.core.v3.RuntimeFractionalPercent;
import io.envoyproxy.envoy.config.route.v3.RouteAction.RequestMirrorPolicy;
import io.envoyproxy.envoy.extensions.filters.http.cors.v3.CorsPolicy;
import io.envoyproxy.envoy.type.v3.FractionalPercent;
import io.envoyproxy.envoy.type.v3.FractionalPercent.DenominatorType;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRouteFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRequestMirrorFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRequestRedirectFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPURLRewriteFilter;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.LocalObjectReference;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What is done with the requests of a rule, or of one of its backends, and with their responses.
 *
 * @param resolved false where a filter refers to what is not there: its requests get an error
 */
record RuleFilters(
    HeaderChanges request,
    HeaderChanges response,
    Optional<HTTPRequestRedirectFilter> redirect,
    Optional<HTTPURLRewriteFilter> rewrite,
    List<RequestMirrorPolicy> mirrors,
    Set<Backend> mirrorBackends,
    Optional<CorsPolicy> cors,
    boolean resolved) {
  static final RuleFilters NONE =
      new RuleFilters(
          HeaderChanges.NONE,
          HeaderChanges.NONE,
          Optional.empty(),
          Optional.empty(),
          List.of(),
          Set.of(),
          Optional.empty(),
          true);

  private static final int MILLION = 1_000_000;

  /** The API has these once in a rule. */
  private static final Set<String> REPEATABLE = Set.of("RequestMirror", "ExtensionRef");

  /** A gRPC filter as what it is in an HTTPRoute. */
  static HTTPRouteFilter ofGrpc(GRPCRouteFilter filter) {
    HTTPRouteFilter http = new HTTPRouteFilter();
    http.setType(filter.getType());
    http.setRequestHeaderModifier(filter.getRequestHeaderModifier());
    http.setResponseHeaderModifier(filter.getResponseHeaderModifier());
    http.setRequestMirror(filter.getRequestMirror());
    http.setExtensionRef(filter.getExtensionRef());
    http.setAdditionalProperties(filter.getAdditionalProperties());
    return http;
  }

  /**
   * Translates filters.
   *
   * @param field of the rule that they are in
   * @param backends finds where mirrored requests go
   */
  static RuleFilters of(
      List<HTTPRouteFilter> filters,
      Problems.Rule rule,
      String field,
      Function<BackendReferences.Reference, BackendReferences.Resolution> backends) {
    HeaderChanges request = HeaderChanges.NONE;
    HeaderChanges response = HeaderChanges.NONE;
    HTTPRequestRedirectFilter redirect = null;
    HTTPURLRewriteFilter rewrite = null;
    List<RequestMirrorPolicy> mirrors = new ArrayList<>();
    Set<Backend> mirrorBackends = new HashSet<>();
    Optional<CorsPolicy> cors = Optional.empty();
    boolean resolved = true;
    Set<String> types = new HashSet<>();
    for (int i = 0; i < filters.size(); i++) {
      HTTPRouteFilter filter = filters.get(i);
      String path = field + "[" + i + "]";
      String type = filter.getType() == null ? "" : filter.getType();
      rule.unknown(path, filter.getAdditionalProperties());
      if (!types.add(type) && !REPEATABLE.contains(type)) {
        rule.invalid(
            GatewayApi.INCOMPATIBLE_FILTERS, path, "a rule can have one filter of type " + type);
      }
      switch (type) {
        case "RequestHeaderModifier" ->
            request =
                request.then(
                    HeaderChanges.of(
                        filter.getRequestHeaderModifier(), rule, path + ".requestHeaderModifier"));
        case "ResponseHeaderModifier" ->
            response =
                response.then(
                    HeaderChanges.of(
                        filter.getResponseHeaderModifier(),
                        rule,
                        path + ".responseHeaderModifier"));
        case "RequestRedirect" -> {
          redirect = filter.getRequestRedirect();
          if (redirect == null) {
            rule.unsupported(path + ".requestRedirect", "is empty");
          }
        }
        case "URLRewrite" -> {
          rewrite = filter.getUrlRewrite();
          if (rewrite == null) {
            rule.unsupported(path + ".urlRewrite", "is empty");
          }
        }
        case "RequestMirror" ->
            mirror(filter.getRequestMirror(), rule, path + ".requestMirror", backends)
                .ifPresent(
                    backend -> {
                      mirrorBackends.add(backend);
                      mirrors.add(
                          RequestMirrorPolicy.newBuilder()
                              .setCluster(backend.clusterName())
                              .setRuntimeFraction(fraction(filter.getRequestMirror()))
                              // The copy is to be as the request is.
                              .setDisableShadowHostSuffixAppend(true)
                              .build());
                    });
        case "CORS" -> cors = Cors.of(filter.getCors(), rule, path + ".cors");
        case "ExtensionRef" -> {
          // The API: it must not be passed over; its requests get an error.
          resolved = false;
          rule.unresolved(
              GatewayApi.INVALID_KIND,
              path + ".extensionRef",
              describe(filter.getExtensionRef())
                  + " is no filter that waypoints have; requests that fit the rule get an error");
        }
        default ->
            rule.unsupported(
                path + ".type",
                "filter \""
                    + type
                    + "\" is not one that waypoints have; requests that fit the rule get an error");
      }
    }
    if (redirect != null && rewrite != null) {
      rule.invalid(
          GatewayApi.INCOMPATIBLE_FILTERS,
          field,
          "RequestRedirect and URLRewrite exclude each other");
    }
    return new RuleFilters(
        request,
        response,
        Optional.ofNullable(redirect),
        Optional.ofNullable(rewrite),
        mirrors,
        mirrorBackends,
        cors,
        resolved);
  }

  private static String describe(@Nullable LocalObjectReference reference) {
    return reference == null
        ? "nothing"
        : "%s.%s %s".formatted(reference.getKind(), reference.getGroup(), reference.getName());
  }

  private static Optional<Backend> mirror(
      @Nullable HTTPRequestMirrorFilter mirror,
      Problems.Rule rule,
      String field,
      Function<BackendReferences.Reference, BackendReferences.Resolution> backends) {
    if (mirror == null || mirror.getBackendRef() == null) {
      rule.unsupported(field, "is empty");
      return Optional.empty();
    }
    rule.unknown(field, mirror.getAdditionalProperties());
    Integer percent = mirror.getPercent();
    if (percent != null && (percent < 0 || percent > 100)) {
      rule.unsupported(field + ".percent", "is not from 0 to 100");
    }
    if (percent != null && mirror.getFraction() != null) {
      rule.unsupported(field + ".fraction", "percent and fraction exclude each other");
    }
    if (mirror.getFraction() != null) {
      long numerator = orZero(mirror.getFraction().getNumerator());
      long denominator = denominator(mirror);
      if (numerator < 0 || denominator < 1 || numerator > denominator) {
        rule.unsupported(field + ".fraction", "is not from 0 to 1");
      }
    }
    var reference = mirror.getBackendRef();
    return switch (backends.apply(
        new BackendReferences.Reference(
            reference.getGroup(),
            reference.getKind(),
            reference.getNamespace(),
            reference.getName(),
            reference.getPort()))) {
      case BackendReferences.Resolution.Found(Backend backend) -> Optional.of(backend);
      case BackendReferences.Resolution.Failed(String reason, String message) -> {
        rule.unresolved(reason, field + ".backendRef", message);
        yield Optional.empty();
      }
    };
  }

  private static long orZero(@Nullable Integer value) {
    return value == null ? 0 : value;
  }

  /** 100 where it is left out. */
  private static long denominator(HTTPRequestMirrorFilter mirror) {
    Integer denominator = mirror.getFraction().getDenominator();
    return denominator == null ? 100 : denominator;
  }

  private static RuntimeFractionalPercent fraction(HTTPRequestMirrorFilter mirror) {
    long parts = MILLION;
    if (mirror.getPercent() != null) {
      parts = Math.clamp(mirror.getPercent().longValue(), 0, 100) * (MILLION / 100);
    } else if (mirror.getFraction() != null) {
      long denominator = Math.max(1, denominator(mirror));
      parts =
          Math.clamp(
              Math.round(
                  (double) orZero(mirror.getFraction().getNumerator()) * MILLION / denominator),
              0,
              MILLION);
    }
    return RuntimeFractionalPercent.newBuilder()
        .setDefaultValue(
            FractionalPercent.newBuilder()
                .setNumerator((int) parts)
                .setDenominator(DenominatorType.MILLION))
        .build();
  }
}
