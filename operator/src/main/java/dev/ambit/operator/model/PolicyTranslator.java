package dev.ambit.operator.model;

import dev.ambit.operator.model.PolicyReport.Finding;
import dev.ambit.operator.model.PolicyReport.Verdict;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.api.security.v1beta1.Condition;
import io.fabric8.istio.api.api.security.v1beta1.Operation;
import io.fabric8.istio.api.api.security.v1beta1.Rule;
import io.fabric8.istio.api.api.security.v1beta1.RuleFrom;
import io.fabric8.istio.api.api.security.v1beta1.RuleTo;
import io.fabric8.istio.api.api.security.v1beta1.Source;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Translates an AuthorizationPolicy to what ztunnels can enforce. A part that layer 4 cannot decide
 * counts as not matching in an ALLOW policy and as matching in a DENY policy, and what is left to
 * an external authorizer is denied, so the result refuses at least what the policy would have
 * refused. Each such part is reported.
 */
public final class PolicyTranslator {
  private final String namespace;
  private final TrustDomains trustDomains;
  private final TermBuilder.Side side;
  private final List<Finding> findings = new ArrayList<>();

  private PolicyTranslator(String namespace, TrustDomains trustDomains, TermBuilder.Side side) {
    this.namespace = namespace;
    this.trustDomains = trustDomains;
    this.side = side;
  }

  /** Translates for a mesh whose trust domain has no other name. */
  public static PolicyTranslation translate(AuthorizationPolicy policy, String rootNamespace) {
    return translate(policy, rootNamespace, TrustDomains.only(""));
  }

  /**
   * Translates; {@code rootNamespace} is where a policy without selector holds for the whole mesh.
   */
  public static PolicyTranslation translate(
      AuthorizationPolicy policy, String rootNamespace, TrustDomains trustDomains) {
    String namespace = policy.getMetadata().getNamespace();
    var spec = policy.getSpec();
    AuthorizationPolicyAction action = AuthorizationPolicyAction.ALLOW;
    if (spec != null && spec.getAction() != null) {
      action = spec.getAction();
    }
    if (spec != null && isForWaypoints(policy)) {
      return rejected(
          spec.getTargetRef() != null ? "spec.targetRef" : "spec.targetRefs",
          "policies attached to Gateways and Services are for waypoints; use spec.selector for"
              + " ztunnels");
    }
    return switch (action) {
      case CUSTOM -> custom(policy, rootNamespace, namespace, trustDomains);
      case AUDIT -> rejected("spec.action", "AUDIT is not supported at layer 4");
      case ALLOW ->
          new PolicyTranslator(namespace, trustDomains, TermBuilder.Side.ALLOW)
              .run(policy, rootNamespace);
      case DENY ->
          new PolicyTranslator(namespace, trustDomains, TermBuilder.Side.DENY)
              .run(policy, rootNamespace);
    };
  }

  /** The authorizer might have said no to each connection that the rules match. */
  private static PolicyTranslation custom(
      AuthorizationPolicy policy,
      String rootNamespace,
      String namespace,
      TrustDomains trustDomains) {
    PolicyTranslator denying = new PolicyTranslator(namespace, trustDomains, TermBuilder.Side.DENY);
    denying.findings.add(
        new Finding(
            "spec.action",
            "CUSTOM needs an external authorizer, which is layer 7; what the rules match is"
                + " denied"));
    return denying.run(policy, rootNamespace);
  }

  private static PolicyTranslation rejected(String path, String effect) {
    return new PolicyTranslation(
        Optional.empty(), new PolicyReport(Verdict.REJECTED, List.of(new Finding(path, effect))));
  }

  /** Whether a policy is attached to something, and so for waypoints to enforce. */
  public static boolean isForWaypoints(AuthorizationPolicy policy) {
    var spec = policy.getSpec();
    return spec != null
        && (spec.getTargetRef() != null
            || (spec.getTargetRefs() != null && !spec.getTargetRefs().isEmpty()));
  }

  /** The labels that a policy selects workloads by; empty where it is for all. */
  public static Map<String, String> selector(AuthorizationPolicy policy) {
    var spec = policy.getSpec();
    return spec == null || spec.getSelector() == null || spec.getSelector().getMatchLabels() == null
        ? Map.of()
        : spec.getSelector().getMatchLabels();
  }

  private PolicyTranslation run(AuthorizationPolicy policy, String rootNamespace) {
    Authorization.Builder authorization =
        Authorization.newBuilder()
            .setName(policy.getMetadata().getName())
            .setNamespace(namespace)
            .setScope(scope(policy, rootNamespace))
            .setAction(
                switch (side) {
                  case ALLOW -> Action.ALLOW;
                  case DENY -> Action.DENY;
                })
            .setDryRun(DryRun.is(policy));
    if (policy.getSpec() != null) {
      unknownFields("spec", policy.getSpec().getAdditionalProperties(), null);
      List<Rule> rules = orEmpty(policy.getSpec().getRules());
      for (int i = 0; i < rules.size(); i++) {
        authorization.addAllRules(rule("spec.rules[" + i + "]", rules.get(i)));
      }
    }
    return new PolicyTranslation(
        Optional.of(authorization.build()),
        new PolicyReport(
            findings.isEmpty() ? Verdict.ACCEPTED : Verdict.STRICTER, List.copyOf(findings)));
  }

  private Scope scope(AuthorizationPolicy policy, String rootNamespace) {
    if (!selector(policy).isEmpty()) {
      return Scope.WORKLOAD_SELECTOR;
    }
    return namespace.equals(rootNamespace) ? Scope.GLOBAL : Scope.NAMESPACE;
  }

  /**
   * A rule becomes none where it can never match, and several where its sources cannot be told in
   * one.
   */
  private List<dev.ambit.protocol.security.Rule> rule(String path, @Nullable Rule rule) {
    if (rule == null) {
      // "- {}" without its braces: as empty as that.
      return List.of(dev.ambit.protocol.security.Rule.getDefaultInstance());
    }
    List<Clause> common = new ArrayList<>();
    TermBuilder unknown = new TermBuilder(side, findings);
    unknownFields(path, rule.getAdditionalProperties(), unknown);
    if (unknown.build() instanceof Term.Never) {
      return List.of();
    }
    if (!addClause(common, operations(path, orEmpty(rule.getTo())))) {
      return List.of();
    }
    List<Condition> conditions = orEmpty(rule.getWhen());
    for (int i = 0; i < conditions.size(); i++) {
      if (!addClause(common, List.of(condition(path + ".when[" + i + "]", conditions.get(i))))) {
        return List.of();
      }
    }
    return withSources(common, sources(path, orEmpty(rule.getFrom())));
  }

  private static List<dev.ambit.protocol.security.Rule> withSources(
      List<Clause> common, List<SourceTerms> sources) {
    if (sources.stream().allMatch(source -> source.trustDomains() instanceof Term.Always)) {
      List<Clause> clauses = new ArrayList<>();
      if (!addClause(clauses, sources.stream().map(SourceTerms::main).toList())) {
        return List.of();
      }
      clauses.addAll(common);
      return List.of(dev.ambit.protocol.security.Rule.newBuilder().addAllClauses(clauses).build());
    }
    // One match cannot ask two things of a principal, so these sources become rules of their own.
    List<dev.ambit.protocol.security.Rule> rules = new ArrayList<>();
    for (SourceTerms source : sources) {
      List<Clause> clauses = new ArrayList<>();
      if (addClause(clauses, List.of(source.main()))
          && addClause(clauses, List.of(source.trustDomains()))) {
        clauses.addAll(common);
        rules.add(dev.ambit.protocol.security.Rule.newBuilder().addAllClauses(clauses).build());
      }
    }
    return rules;
  }

  /**
   * Adds alternatives as a clause; none at all are no constraint.
   *
   * @return false where none of them can ever match
   */
  private static boolean addClause(List<Clause> clauses, List<Term> alternatives) {
    if (alternatives.isEmpty()) {
      return true;
    }
    List<Match> matches = new ArrayList<>();
    for (Term alternative : alternatives) {
      switch (alternative) {
        case Term.Always() -> {
          return true;
        }
        case Term.Never() -> {}
        case Term.Holds(Match match) -> matches.add(match);
      }
    }
    if (matches.isEmpty()) {
      return false;
    }
    clauses.add(Clause.newBuilder().addAllMatches(matches).build());
    return true;
  }

  /**
   * A source's constraints; those on the trust domain apart where the principal is constrained too.
   */
  private record SourceTerms(Term main, Term trustDomains) {}

  private List<SourceTerms> sources(String path, List<RuleFrom> from) {
    List<SourceTerms> terms = new ArrayList<>();
    for (int i = 0; i < from.size(); i++) {
      String fromPath = path + ".from[" + i + "]";
      RuleFrom each = from.get(i);
      terms.add(source(fromPath, each));
    }
    return terms;
  }

  private SourceTerms source(String fromPath, @Nullable RuleFrom from) {
    String path = fromPath + ".source";
    TermBuilder main = new TermBuilder(side, findings);
    TermBuilder apart = new TermBuilder(side, findings);
    Source source = from == null ? null : from.getSource();
    if (from != null) {
      unknownFields(fromPath, from.getAdditionalProperties(), main);
    }
    if (source == null) {
      main.undecidable(path, "is empty");
      return new SourceTerms(main.build(), apart.build());
    }
    Match.Builder match = main.match();
    main.anyOfAll(
            path + ".principals", source.getPrincipals(), this::principal, match::addPrincipals)
        .noneOfAll(
            path + ".notPrincipals",
            source.getNotPrincipals(),
            this::principal,
            match::addNotPrincipals)
        .any(path + ".namespaces", source.getNamespaces(), L4Values::string, match::addNamespaces)
        .none(
            path + ".notNamespaces",
            source.getNotNamespaces(),
            L4Values::string,
            match::addNotNamespaces)
        .any(
            path + ".serviceAccounts",
            source.getServiceAccounts(),
            value -> L4Values.serviceAccount(namespace, value),
            match::addServiceAccounts)
        .none(
            path + ".notServiceAccounts",
            source.getNotServiceAccounts(),
            value -> L4Values.serviceAccount(namespace, value),
            match::addNotServiceAccounts)
        .any(path + ".ipBlocks", source.getIpBlocks(), L4Values::block, match::addSourceIps)
        .none(
            path + ".notIpBlocks", source.getNotIpBlocks(), L4Values::block, match::addNotSourceIps)
        .layer7(path + ".requestPrincipals", source.getRequestPrincipals())
        .layer7(path + ".notRequestPrincipals", source.getNotRequestPrincipals())
        .layer7(path + ".remoteIpBlocks", source.getRemoteIpBlocks())
        .layer7(path + ".notRemoteIpBlocks", source.getNotRemoteIpBlocks());
    boolean principals = match.getPrincipalsCount() > 0;
    for (Map.Entry<String, Object> other : orEmpty(source.getAdditionalProperties()).entrySet()) {
      String field = path + "." + other.getKey();
      switch (other.getKey()) {
        case "trustDomains" -> {
          TermBuilder target = principals ? apart : main;
          target.any(
              field,
              strings(other.getValue()),
              L4Values::trustDomain,
              target.match()::addPrincipals);
        }
        case "notTrustDomains" ->
            main.none(
                field, strings(other.getValue()), L4Values::trustDomain, match::addNotPrincipals);
        default -> main.undecidable(field, "is not known");
      }
    }
    if (main.untouched() && apart.untouched()) {
      main.undecidable(path, "is empty");
    }
    return new SourceTerms(main.build(), apart.build());
  }

  private Optional<List<StringMatch>> principal(String value) {
    return L4Values.principal(trustDomains, value);
  }

  private List<Term> operations(String path, List<RuleTo> to) {
    List<Term> terms = new ArrayList<>();
    for (int i = 0; i < to.size(); i++) {
      String toPath = path + ".to[" + i + "]";
      terms.add(operation(toPath, to.get(i)));
    }
    return terms;
  }

  private Term operation(String toPath, @Nullable RuleTo to) {
    String path = toPath + ".operation";
    TermBuilder term = new TermBuilder(side, findings);
    Operation operation = to == null ? null : to.getOperation();
    if (to != null) {
      unknownFields(toPath, to.getAdditionalProperties(), term);
    }
    if (operation == null) {
      return term.undecidable(path, "is empty").build();
    }
    Match.Builder match = term.match();
    term.any(path + ".ports", operation.getPorts(), L4Values::port, match::addDestinationPorts)
        .none(
            path + ".notPorts",
            operation.getNotPorts(),
            L4Values::port,
            match::addNotDestinationPorts)
        .layer7(path + ".hosts", operation.getHosts())
        .layer7(path + ".notHosts", operation.getNotHosts())
        .layer7(path + ".methods", operation.getMethods())
        .layer7(path + ".notMethods", operation.getNotMethods())
        .layer7(path + ".paths", operation.getPaths())
        .layer7(path + ".notPaths", operation.getNotPaths());
    unknownFields(path, operation.getAdditionalProperties(), term);
    if (term.untouched()) {
      term.undecidable(path, "is empty");
    }
    return term.build();
  }

  private Term condition(String path, @Nullable Condition condition) {
    TermBuilder term = new TermBuilder(side, findings);
    if (condition == null || condition.getKey() == null) {
      return term.undecidable(path, "is empty").build();
    }
    unknownFields(path, condition.getAdditionalProperties(), term);
    List<String> values = orEmpty(condition.getValues());
    List<String> notValues = orEmpty(condition.getNotValues());
    String is = path + ".values";
    String isNot = path + ".notValues";
    Match.Builder match = term.match();
    switch (condition.getKey()) {
      case "source.ip" ->
          term.any(is, values, L4Values::block, match::addSourceIps)
              .none(isNot, notValues, L4Values::block, match::addNotSourceIps);
      case "source.namespace" ->
          term.any(is, values, L4Values::string, match::addNamespaces)
              .none(isNot, notValues, L4Values::string, match::addNotNamespaces);
      case "source.principal" ->
          term.anyOfAll(is, values, this::principal, match::addPrincipals)
              .noneOfAll(isNot, notValues, this::principal, match::addNotPrincipals);
      case "destination.ip" ->
          term.any(is, values, L4Values::block, match::addDestinationIps)
              .none(isNot, notValues, L4Values::block, match::addNotDestinationIps);
      case "destination.port" ->
          term.any(is, values, L4Values::port, match::addDestinationPorts)
              .none(isNot, notValues, L4Values::port, match::addNotDestinationPorts);
      default ->
          term.undecidable(path + ".key", "\"" + condition.getKey() + "\" is seen only at layer 7");
    }
    if (term.untouched()) {
      term.undecidable(path, "has no values");
    }
    return term.build();
  }

  /** Fields that our types do not know may narrow what the policy means. */
  private void unknownFields(
      String path, @Nullable Map<String, Object> fields, @Nullable TermBuilder term) {
    for (String field : orEmpty(fields).keySet()) {
      if (term == null) {
        findings.add(new Finding(path + "." + field, "is not known and is not looked at"));
      } else {
        term.undecidable(path + "." + field, "is not known");
      }
    }
  }

  private static List<String> strings(@Nullable Object value) {
    if (!(value instanceof List<?> list)) {
      // Not what it should be: one value that nothing will understand.
      return List.of("");
    }
    return list.stream().map(String::valueOf).toList();
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }

  private static Map<String, Object> orEmpty(@Nullable Map<String, Object> map) {
    return map == null ? Map.of() : map;
  }
}
