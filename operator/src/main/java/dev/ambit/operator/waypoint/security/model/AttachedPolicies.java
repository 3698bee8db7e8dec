package dev.ambit.operator.waypoint.security.model;

import io.fabric8.istio.api.api.security.v1beta1.Rule;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The policies that hold for a service at a waypoint, each once, in the order of their names. */
public record AttachedPolicies(
    List<AuthorizationPolicy> authorizations, List<RequestAuthentication> authentications) {
  /** Copies both. */
  public AttachedPolicies {
    authorizations = List.copyOf(authorizations);
    authentications = List.copyOf(authentications);
  }

  /**
   * Whether any of them speaks of addresses or ports, which are others where a service's pods are
   * addressed themselves.
   */
  public boolean nameDestinations() {
    return authorizations.stream()
        .flatMap(policy -> orEmpty(policy.getSpec().getRules()).stream())
        .filter(Objects::nonNull)
        .anyMatch(AttachedPolicies::namesDestinations);
  }

  private static boolean namesDestinations(Rule rule) {
    return orEmpty(rule.getTo()).stream()
            .flatMap(to -> to == null ? Stream.empty() : Stream.ofNullable(to.getOperation()))
            .anyMatch(
                operation ->
                    !orEmpty(operation.getPorts()).isEmpty()
                        || !orEmpty(operation.getNotPorts()).isEmpty())
        || orEmpty(rule.getWhen()).stream()
            .anyMatch(
                condition ->
                    condition != null
                        && condition.getKey() != null
                        && condition.getKey().startsWith("destination."));
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }

  /** Whether there is none. */
  public boolean isEmpty() {
    return authorizations.isEmpty() && authentications.isEmpty();
  }
}
