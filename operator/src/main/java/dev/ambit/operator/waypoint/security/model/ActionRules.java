package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.DryRun;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The rules of several policies, by what they do.
 *
 * @param custom what an external authorizer is to be asked about
 * @param allow absent where no policy allows
 * @param dryDeny of policies that are only tried
 * @param dryAllow of policies that are only tried
 */
record ActionRules(
    List<RuleCondition> custom,
    List<RuleCondition> audit,
    List<RuleCondition> deny,
    Optional<List<RuleCondition>> allow,
    List<RuleCondition> dryDeny,
    Optional<List<RuleCondition>> dryAllow) {

  static ActionRules of(
      List<AuthorizationPolicy> policies, SecuritySettings settings, Layer layer) {
    return new ActionRules(
        rules(policies, settings, layer, AuthorizationPolicyAction.CUSTOM, false).orElse(List.of()),
        rules(policies, settings, layer, AuthorizationPolicyAction.AUDIT, false).orElse(List.of()),
        rules(policies, settings, layer, AuthorizationPolicyAction.DENY, false).orElse(List.of()),
        rules(policies, settings, layer, AuthorizationPolicyAction.ALLOW, false),
        rules(policies, settings, layer, AuthorizationPolicyAction.DENY, true).orElse(List.of()),
        rules(policies, settings, layer, AuthorizationPolicyAction.ALLOW, true));
  }

  private static Optional<List<RuleCondition>> rules(
      List<AuthorizationPolicy> policies,
      SecuritySettings settings,
      Layer layer,
      AuthorizationPolicyAction action,
      boolean dryRun) {
    List<AuthorizationPolicy> chosen =
        policies.stream()
            .filter(policy -> PolicyRules.action(policy) == action)
            .filter(policy -> DryRun.is(policy) == dryRun)
            .toList();
    if (chosen.isEmpty()) {
      return Optional.empty();
    }
    List<RuleCondition> rules = new ArrayList<>();
    chosen.forEach(
        policy -> rules.addAll(PolicyRules.of(policy, settings.trustDomains(), layer).rules()));
    return Optional.of(List.copyOf(rules));
  }
}
