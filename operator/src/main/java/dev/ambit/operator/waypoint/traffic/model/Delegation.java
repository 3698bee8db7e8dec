package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.api.networking.v1alpha3.HTTPMatchRequest;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPMatchRequestBuilder;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRoute;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRouteBuilder;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatch;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatchExact;
import io.fabric8.istio.api.api.networking.v1alpha3.StringMatchPrefix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Joins a rule that delegates with a rule that is delegated to, as Istio does: the delegate's match
 * has to be narrower, and what the delegate does not say it has from the delegating rule.
 */
final class Delegation {
  private Delegation() {}

  /** The rule that comes of both; empty where their matches contradict each other. */
  static Optional<HTTPRoute> join(HTTPRoute root, HTTPRoute delegate) {
    List<HTTPMatchRequest> matches =
        matches(orEmpty(root.getMatch()), orEmpty(delegate.getMatch()));
    if (matches == null) {
      return Optional.empty();
    }
    HTTPRouteBuilder joined = new HTTPRouteBuilder(delegate).withMatch(matches);
    joined.withName(name(root.getName(), delegate.getName()));
    joined.withRewrite(orElse(delegate.getRewrite(), root.getRewrite()));
    joined.withDirectResponse(orElse(delegate.getDirectResponse(), root.getDirectResponse()));
    joined.withTimeout(orElse(delegate.getTimeout(), root.getTimeout()));
    joined.withRetries(orElse(delegate.getRetries(), root.getRetries()));
    joined.withFault(orElse(delegate.getFault(), root.getFault()));
    joined.withMirror(orElse(delegate.getMirror(), root.getMirror()));
    joined.withMirrorPercent(orElse(delegate.getMirrorPercent(), root.getMirrorPercent()));
    joined.withMirrorPercentage(orElse(delegate.getMirrorPercentage(), root.getMirrorPercentage()));
    joined.withCorsPolicy(orElse(delegate.getCorsPolicy(), root.getCorsPolicy()));
    joined.withHeaders(orElse(delegate.getHeaders(), root.getHeaders()));
    if (orEmpty(delegate.getMirrors()).isEmpty()) {
      joined.withMirrors(orEmpty(root.getMirrors()));
    }
    return Optional.of(joined.build());
  }

  private static @Nullable List<HTTPMatchRequest> matches(
      List<HTTPMatchRequest> root, List<HTTPMatchRequest> delegate) {
    if (root.isEmpty()) {
      return delegate;
    }
    if (delegate.isEmpty()) {
      return root;
    }
    List<HTTPMatchRequest> joined = new ArrayList<>();
    for (HTTPMatchRequest narrow : delegate) {
      List<HTTPMatchRequest> wider =
          root.stream().filter(wide -> !contradict(wide, narrow)).toList();
      if (wider.isEmpty()) {
        return null;
      }
      wider.forEach(wide -> joined.add(join(wide, narrow)));
    }
    return joined;
  }

  private static HTTPMatchRequest join(HTTPMatchRequest root, HTTPMatchRequest delegate) {
    HTTPMatchRequestBuilder joined = new HTTPMatchRequestBuilder(delegate);
    joined.withName(name(root.getName(), delegate.getName()));
    joined.withUri(orElse(delegate.getUri(), root.getUri()));
    joined.withScheme(orElse(delegate.getScheme(), root.getScheme()));
    joined.withMethod(orElse(delegate.getMethod(), root.getMethod()));
    joined.withAuthority(orElse(delegate.getAuthority(), root.getAuthority()));
    joined.withHeaders(union(root.getHeaders(), delegate.getHeaders()));
    joined.withWithoutHeaders(union(root.getWithoutHeaders(), delegate.getWithoutHeaders()));
    joined.withQueryParams(union(root.getQueryParams(), delegate.getQueryParams()));
    joined.withSourceLabels(union(root.getSourceLabels(), delegate.getSourceLabels()));
    joined.withPort(isZero(delegate.getPort()) ? root.getPort() : delegate.getPort());
    if (isEmpty(delegate.getSourceNamespace())) {
      joined.withSourceNamespace(root.getSourceNamespace());
    }
    if (orEmpty(delegate.getGateways()).isEmpty()) {
      joined.withGateways(orEmpty(root.getGateways()));
    }
    if (isEmpty(delegate.getStatPrefix())) {
      joined.withStatPrefix(root.getStatPrefix());
    }
    // A constraint of the delegating rule that is not known must not get lost.
    joined.withAdditionalProperties(
        union(root.getAdditionalProperties(), delegate.getAdditionalProperties()));
    return joined.build();
  }

  private static boolean contradict(HTTPMatchRequest root, HTTPMatchRequest delegate) {
    return contradict(root.getUri(), delegate.getUri())
        || contradict(root.getScheme(), delegate.getScheme())
        || contradict(root.getMethod(), delegate.getMethod())
        || contradict(root.getAuthority(), delegate.getAuthority())
        || contradict(root.getHeaders(), delegate.getHeaders())
        || contradict(root.getWithoutHeaders(), delegate.getWithoutHeaders())
        || contradict(root.getQueryParams(), delegate.getQueryParams())
        || Boolean.TRUE.equals(root.getIgnoreUriCase())
            != Boolean.TRUE.equals(delegate.getIgnoreUriCase())
        || (!isZero(root.getPort())
            && !isZero(delegate.getPort())
            && !Objects.equals(root.getPort(), delegate.getPort()))
        || (!isEmpty(root.getSourceNamespace())
            && !isEmpty(delegate.getSourceNamespace())
            && !root.getSourceNamespace().equals(delegate.getSourceNamespace()))
        || contradictLabels(root.getSourceLabels(), delegate.getSourceLabels())
        || (!orEmpty(root.getGateways()).isEmpty()
            && !root.getGateways().containsAll(orEmpty(delegate.getGateways())));
  }

  private static boolean contradict(
      @Nullable Map<String, StringMatch> root, @Nullable Map<String, StringMatch> delegate) {
    return root != null
        && delegate != null
        && delegate.entrySet().stream()
            .anyMatch(entry -> contradict(root.get(entry.getKey()), entry.getValue()));
  }

  private static boolean contradictLabels(
      @Nullable Map<String, String> root, @Nullable Map<String, String> delegate) {
    return root != null
        && delegate != null
        && delegate.entrySet().stream()
            .anyMatch(
                entry ->
                    root.containsKey(entry.getKey())
                        && !Objects.equals(root.get(entry.getKey()), entry.getValue()));
  }

  /** Whether the second is not known to be narrower than the first. */
  private static boolean contradict(@Nullable StringMatch root, @Nullable StringMatch delegate) {
    if (root == null || delegate == null) {
      return false;
    }
    return switch (root.getMatchType()) {
      case StringMatchExact exact ->
          !(delegate.getMatchType() instanceof StringMatchExact narrow
              && Objects.equals(narrow.getExact(), exact.getExact()));
      case StringMatchPrefix prefix when prefix.getPrefix() != null ->
          switch (delegate.getMatchType()) {
            case StringMatchExact narrow ->
                narrow.getExact() == null || !narrow.getExact().startsWith(prefix.getPrefix());
            case StringMatchPrefix narrow ->
                narrow.getPrefix() == null || !narrow.getPrefix().startsWith(prefix.getPrefix());
            case null, default -> true;
          };
      case null -> false;
      default -> true;
    };
  }

  private static @Nullable String name(@Nullable String root, @Nullable String delegate) {
    if (isEmpty(delegate)) {
      return root;
    }
    return isEmpty(root) ? delegate : root + "-" + delegate;
  }

  private static <K, V> Map<K, V> union(@Nullable Map<K, V> root, @Nullable Map<K, V> delegate) {
    Map<K, V> union = new HashMap<>();
    if (root != null) {
      union.putAll(root);
    }
    if (delegate != null) {
      union.putAll(delegate);
    }
    return union;
  }

  private static <T> @Nullable T orElse(@Nullable T delegate, @Nullable T root) {
    return delegate != null ? delegate : root;
  }

  private static boolean isEmpty(@Nullable String text) {
    return text == null || text.isEmpty();
  }

  private static boolean isZero(@Nullable Long number) {
    return number == null || number == 0;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
