package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshServices;
import io.envoyproxy.envoy.config.cluster.v3.Cluster;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.config.rbac.v3.RBAC.Action;
import io.envoyproxy.envoy.extensions.filters.http.rbac.v3.RBAC;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * What policies make of the HTTP requests to a service: the filters for its {@link Slot}s.
 *
 * @param slots one for each slot, also where no policy fills it
 * @param backends that the filters talk to, besides those of routes
 * @param clusters that the filters talk to outside the mesh; those of one name are equal
 */
public record ServiceSecurity(
    List<TypedExtensionConfig> slots, Set<Backend> backends, List<Cluster> clusters) {
  /** Where shadow rules of dry runs that deny put their verdict, as Istio's do. */
  public static final String DRY_RUN_DENY = "istio_dry_run_deny_";

  /** Where shadow rules of dry runs that allow put their verdict, as Istio's do. */
  public static final String DRY_RUN_ALLOW = "istio_dry_run_allow_";

  /** Where it stands which rule of an AUDIT policy a request matched. */
  public static final String AUDIT = "ambit_audit_";

  private static final RBAC EMPTY = RBAC.getDefaultInstance();

  /** Copies all. */
  public ServiceSecurity {
    slots = List.copyOf(slots);
    backends = Set.copyOf(backends);
    clusters = List.copyOf(clusters);
  }

  /**
   * Of the policies that hold for a service.
   *
   * @param key of the service, or whatever its chains' slots are named by
   * @param viewedFrom the waypoint's namespace, from which it sees host names
   */
  public static ServiceSecurity of(
      String key,
      AttachedPolicies policies,
      SecuritySettings settings,
      MeshServices services,
      String viewedFrom) {
    if (policies.isEmpty()) {
      List<TypedExtensionConfig> empty = new ArrayList<>();
      for (Slot slot : Slot.values()) {
        empty.add(slot.fill(key, EMPTY));
      }
      return new ServiceSecurity(empty, Set.of(), List.of());
    }
    ActionRules rules = ActionRules.of(policies.authorizations(), settings, Layer.HTTP);
    Authorizers authorizers = Authorizers.of(policies.authorizations(), settings, services);
    TokenRules tokens = TokenRules.of(policies.authentications(), services, viewedFrom);
    Set<Backend> backends = new LinkedHashSet<>(tokens.backends());
    authorizers.authorizer().ifPresent(authorizer -> backends.add(authorizer.backend()));
    List<TypedExtensionConfig> slots =
        List.of(
            Slot.CUSTOM_MATCH.fill(key, customMatch(authorizers)),
            authorizers
                .authorizer()
                .map(authorizer -> Slot.CUSTOM.fill(key, authorizer.filter()))
                .orElseGet(() -> Slot.CUSTOM.fill(key, EMPTY)),
            tokens.filter().getProvidersCount() == 0
                ? Slot.JWT.fill(key, EMPTY)
                : Slot.JWT.fill(key, tokens.filter()),
            Slot.AUDIT.fill(key, audit(rules)),
            Slot.DENY.fill(key, deny(rules)),
            Slot.ALLOW.fill(key, allow(rules)));
    return new ServiceSecurity(slots, backends, tokens.clusters());
  }

  private static RBAC customMatch(Authorizers authorizers) {
    RBAC.Builder filter = filter("custom").setShadowRulesStatPrefix(ExternalAuthorizer.STAT_PREFIX);
    if (!authorizers.denied().isEmpty()) {
      filter.setRules(RbacRules.of(Action.DENY, authorizers.denied()));
    }
    if (!authorizers.asked().isEmpty()) {
      filter.setShadowRules(RbacRules.of(Action.DENY, authorizers.asked()));
    }
    return filter.build();
  }

  private static RBAC audit(ActionRules rules) {
    if (rules.audit().isEmpty()) {
      return EMPTY;
    }
    return filter("audit")
        .setRules(RbacRules.of(Action.LOG, rules.audit()))
        // The same again, since a match of LOG does not say which rule it was.
        .setShadowRules(RbacRules.of(Action.DENY, rules.audit()))
        .setShadowRulesStatPrefix(AUDIT)
        .build();
  }

  private static RBAC deny(ActionRules rules) {
    RBAC.Builder filter = filter("deny").setShadowRulesStatPrefix(DRY_RUN_DENY);
    if (!rules.deny().isEmpty()) {
      filter.setRules(RbacRules.of(Action.DENY, rules.deny()));
    }
    if (!rules.dryDeny().isEmpty()) {
      filter.setShadowRules(RbacRules.of(Action.DENY, rules.dryDeny()));
    }
    return filter.build();
  }

  private static RBAC allow(ActionRules rules) {
    RBAC.Builder filter = filter("allow").setShadowRulesStatPrefix(DRY_RUN_ALLOW);
    // A policy that allows and has no rule that can match allows nothing.
    rules.allow().ifPresent(allow -> filter.setRules(RbacRules.of(Action.ALLOW, allow)));
    rules.dryAllow().ifPresent(allow -> filter.setShadowRules(RbacRules.of(Action.ALLOW, allow)));
    return filter.build();
  }

  private static RBAC.Builder filter(String statPrefix) {
    return RBAC.newBuilder().setRulesStatPrefix(statPrefix).setTrackPerRuleStats(true);
  }

  /**
   * The CUSTOM policies of a service, of which one external authorizer can be asked.
   *
   * @param asked what it is asked about
   * @param denied what would have to be asked of one that cannot be
   */
  private record Authorizers(
      java.util.Optional<ExternalAuthorizer> authorizer,
      List<RuleCondition> asked,
      List<RuleCondition> denied) {
    static Authorizers of(
        List<AuthorizationPolicy> policies, SecuritySettings settings, MeshServices services) {
      List<RuleCondition> asked = new ArrayList<>();
      List<RuleCondition> denied = new ArrayList<>();
      java.util.Optional<String> chosen = CustomPolicies.chosen(policies);
      java.util.Optional<ExternalAuthorizer> authorizer =
          chosen
              .map(name -> ExternalAuthorizer.of(name, settings, services))
              .flatMap(
                  result ->
                      switch (result) {
                        case ExternalAuthorizer.Result.Found(ExternalAuthorizer found) ->
                            java.util.Optional.of(found);
                        case ExternalAuthorizer.Result.Missing _ -> java.util.Optional.empty();
                      });
      for (AuthorizationPolicy policy : policies) {
        if (PolicyRules.action(policy) == AuthorizationPolicyAction.CUSTOM && !DryRun.is(policy)) {
          List<RuleCondition> rules =
              PolicyRules.of(policy, settings.trustDomains(), Layer.HTTP).rules();
          boolean answers =
              authorizer.isPresent() && chosen.equals(CustomPolicies.provider(policy));
          (answers ? asked : denied).addAll(rules);
        }
      }
      return new Authorizers(authorizer.filter(_ -> !asked.isEmpty()), asked, denied);
    }
  }

  /** The names of all resources that the slots of a service have. */
  public static Set<String> names(String key) {
    Set<String> names = new TreeSet<>();
    for (Slot slot : Slot.values()) {
      names.add(slot.resourceName(key));
    }
    return names;
  }
}
