package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.DryRun;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyProvider;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Policies that leave the decision to an external authorizer. */
final class CustomPolicies {
  private static final Comparator<AuthorizationPolicy> OLDEST_FIRST =
      Comparator.<AuthorizationPolicy, String>comparing(
              policy ->
                  policy.getMetadata().getCreationTimestamp() == null
                      ? ""
                      : policy.getMetadata().getCreationTimestamp())
          .thenComparing(policy -> policy.getMetadata().getNamespace())
          .thenComparing(policy -> policy.getMetadata().getName());

  private CustomPolicies() {}

  static Optional<String> provider(AuthorizationPolicy policy) {
    return policy.getSpec() != null
            && policy.getSpec().getActionDetail() instanceof AuthorizationPolicyProvider detail
            && detail.getProvider() != null
        ? Optional.ofNullable(detail.getProvider().getName()).filter(name -> !name.isEmpty())
        : Optional.empty();
  }

  /** The provider that a service asks: the oldest policy's. */
  static Optional<String> chosen(List<AuthorizationPolicy> policies) {
    return policies.stream()
        .filter(policy -> PolicyRules.action(policy) == AuthorizationPolicyAction.CUSTOM)
        .filter(policy -> !DryRun.is(policy) && provider(policy).isPresent())
        .min(OLDEST_FIRST)
        .flatMap(CustomPolicies::provider);
  }
}
