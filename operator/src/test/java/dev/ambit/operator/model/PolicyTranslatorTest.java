package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.PolicyEvaluation.Connection;
import dev.ambit.operator.model.PolicyReport.Finding;
import dev.ambit.operator.model.PolicyReport.Verdict;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import java.util.List;
import org.junit.jupiter.api.Test;

class PolicyTranslatorTest {
  private static PolicyTranslation translate(String namespace, String spec) {
    return PolicyTranslator.translate(
        Objects.policy(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
                + "metadata: {name: p, namespace: "
                + namespace
                + "}\nspec:\n"
                + spec.indent(2)),
        "root");
  }

  private static Authorization sent(PolicyTranslation translation) {
    return translation.authorization().orElseThrow();
  }

  private static Connection from(String principal, int port) {
    return new Connection(principal, "10.0.0.1", "10.0.0.2", port);
  }

  @Test
  void translatesEveryLayer4FieldAsWritten() {
    PolicyTranslation translation =
        translate(
            "a",
            """
            action: DENY
            selector: {matchLabels: {app: web}}
            rules:
            - from:
              - source:
                  principals: ["td/ns/a/sa/x", "td/*", "*/sa/y", "*"]
                  notPrincipals: ["td/ns/a/sa/z"]
                  namespaces: ["b"]
                  notNamespaces: ["c*"]
                  serviceAccounts: ["s", "d/s"]
                  notServiceAccounts: ["e/s"]
                  ipBlocks: ["10.1.2.3/8", "fd00::1"]
                  notIpBlocks: ["10.2.0.0/16"]
              to:
              - operation: {ports: ["80", "443"], notPorts: ["8080"]}
              when:
              - {key: source.ip, values: ["1.2.3.4"], notValues: ["1.2.3.5"]}
              - {key: destination.ip, values: ["1.2.3.0/24"]}
              - {key: destination.port, notValues: ["22"]}
            """);

    assertThat(translation.report().verdict()).isEqualTo(Verdict.ACCEPTED);
    Authorization sent = sent(translation);
    assertThat(sent.getAction()).isEqualTo(Action.DENY);
    assertThat(sent.getScope()).isEqualTo(Scope.WORKLOAD_SELECTOR);
    Match source = sent.getRules(0).getClauses(0).getMatches(0);
    assertThat(source.getPrincipalsList())
        .extracting(StringMatch::getMatchTypeCase)
        .containsExactly(
            StringMatch.MatchTypeCase.EXACT,
            StringMatch.MatchTypeCase.PREFIX,
            StringMatch.MatchTypeCase.SUFFIX,
            StringMatch.MatchTypeCase.PRESENCE);
    assertThat(source.getNotNamespaces(0).getPrefix()).isEqualTo("c");
    assertThat(source.getServiceAccounts(0).getNamespace()).isEqualTo("a");
    assertThat(source.getServiceAccounts(1).getNamespace()).isEqualTo("d");
    assertThat(source.getSourceIps(0).getAddress().toByteArray()).containsExactly(10, 0, 0, 0);
    assertThat(source.getSourceIps(0).getLength()).isEqualTo(8);
    assertThat(source.getSourceIps(1).getLength()).isEqualTo(128);
    assertThat(sent.getRules(0).getClauses(1).getMatches(0).getDestinationPortsList())
        .containsExactly(80, 443);
    assertThat(sent.getRules(0).getClausesCount()).isEqualTo(5);
  }

  @Test
  void scopeFollowsSelectorAndNamespace() {
    assertThat(sent(translate("a", "rules: [{}]")).getScope()).isEqualTo(Scope.NAMESPACE);
    assertThat(sent(translate("root", "rules: [{}]")).getScope()).isEqualTo(Scope.GLOBAL);
    assertThat(sent(translate("root", "selector: {matchLabels: {a: b}}")).getScope())
        .isEqualTo(Scope.WORKLOAD_SELECTOR);
  }

  @Test
  void anAllowPolicyWithoutRulesAllowsNothingAndOneWithAnEmptyRuleEverything() {
    assertThat(
            PolicyEvaluation.matches(
                sent(translate("a", "action: ALLOW")), from("td/ns/a/sa/x", 1)))
        .isFalse();
    assertThat(
            PolicyEvaluation.matches(sent(translate("a", "rules: [{}]")), from("td/ns/a/sa/x", 1)))
        .isTrue();
  }

  @Test
  void anAllowRuleThatAsksForLayer7AllowsNothing() {
    PolicyTranslation translation =
        translate(
            "a",
            """
            rules:
            - to: [{operation: {methods: ["GET"], ports: ["80"]}}]
            """);
    assertThat(sent(translation).getRulesCount()).isZero();
    assertThat(translation.report().verdict()).isEqualTo(Verdict.STRICTER);
    assertThat(translation.report().findings())
        .extracting(Finding::path)
        .containsExactly("spec.rules[0].to[0].operation.methods");
    assertThat(translation.report().message()).contains("methods").contains("allows nothing");
  }

  @Test
  void aDenyRuleLosesItsLayer7PartAndDeniesMore() {
    Authorization sent =
        sent(
            translate(
                "a",
                """
                action: DENY
                rules:
                - from: [{source: {namespaces: ["b"]}}]
                  to: [{operation: {methods: ["DELETE"]}}]
                """));
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/b/sa/x", 80))).isTrue();
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/c/sa/x", 80))).isFalse();
  }

  @Test
  void aDenyRuleOfNothingButLayer7DeniesEverythingInsteadOfNothing() {
    Authorization sent =
        sent(translate("a", "action: DENY\nrules: [{to: [{operation: {paths: [\"/admin*\"]}}]}]"));
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/b/sa/x", 80))).isTrue();
  }

  @Test
  void oneAlternativeThatMightMatchAnythingWidensItsWholeClause() {
    Authorization sent =
        sent(
            translate(
                "a",
                """
                action: DENY
                rules:
                - to:
                  - operation: {ports: ["80"]}
                  - operation: {methods: ["GET"]}
                """));
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/b/sa/x", 9999))).isTrue();
  }

  @Test
  void trustDomainsAreEnforcedEvenTogetherWithPrincipals() {
    PolicyTranslation translation =
        translate(
            "a",
            """
            action: DENY
            rules:
            - from:
              - source: {trustDomains: ["td"], principals: ["*/sa/x"]}
              - source: {notTrustDomains: ["td"], namespaces: ["b"]}
            """);
    assertThat(translation.report().verdict()).isEqualTo(Verdict.ACCEPTED);
    Authorization sent = sent(translation);
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/a/sa/x", 1))).isTrue();
    assertThat(PolicyEvaluation.matches(sent, from("td/ns/a/sa/y", 1))).isFalse();
    assertThat(PolicyEvaluation.matches(sent, from("other/ns/a/sa/x", 1))).isFalse();
    assertThat(PolicyEvaluation.matches(sent, from("other/ns/b/sa/x", 1))).isTrue();
    assertThat(PolicyEvaluation.matches(sent, from("tdx/ns/a/sa/x", 1))).isFalse();
  }

  @Test
  void whatAnExternalAuthorizerWouldDecideIsDenied() {
    PolicyTranslation translation =
        translate(
            "a",
            """
            action: CUSTOM
            provider: {name: x}
            rules: [{to: [{operation: {ports: ["80"], paths: ["/admin"]}}]}]
            """);
    assertThat(PolicyEvaluation.matches(sent(translation), from("td/ns/a/sa/x", 80))).isTrue();
    assertThat(PolicyEvaluation.matches(sent(translation), from("td/ns/a/sa/x", 81))).isFalse();
    assertThat(sent(translation).getAction()).isEqualTo(Action.DENY);
    assertThat(translation.report().verdict()).isEqualTo(Verdict.STRICTER);
    assertThat(translation.report().findings())
        .extracting(Finding::path)
        .containsExactly("spec.action", "spec.rules[0].to[0].operation.paths");
  }

  @Test
  void auditAndAttachedPoliciesAreRejectedWithTheirPath() {
    PolicyTranslation audit = translate("a", "action: AUDIT");
    assertThat(audit.authorization()).isEmpty();
    assertThat(audit.report().verdict()).isEqualTo(Verdict.REJECTED);
    assertThat(audit.report().findings()).extracting(Finding::path).containsExactly("spec.action");
    PolicyTranslation attached =
        translate(
            "a", "action: DENY\ntargetRefs: [{kind: Service, group: \"\", name: s}]\nrules: [{}]");
    assertThat(attached.authorization()).isEmpty();
    assertThat(attached.report().findings())
        .extracting(Finding::path)
        .containsExactly("spec.targetRefs");
  }

  @Test
  void aValueThatIsNoAddressIsReportedAndRoundedToTheSafeSide() {
    String rules = "rules: [{from: [{source: {ipBlocks: [\"10.0.0.1\", \"nonsense\"]}}]}]";
    assertThat(PolicyEvaluation.matches(sent(translate("a", rules)), from("td/ns/a/sa/x", 1)))
        .isTrue();
    Connection elsewhere = new Connection(null, "11.0.0.1", "10.0.0.2", 1);
    assertThat(PolicyEvaluation.matches(sent(translate("a", rules)), elsewhere)).isFalse();
    PolicyTranslation deny = translate("a", "action: DENY\n" + rules);
    assertThat(PolicyEvaluation.matches(sent(deny), elsewhere)).isTrue();
    assertThat(deny.report().message()).contains("nonsense");
  }

  @Test
  void dryRunIsPassedOn() {
    var policy =
        Objects.policy(
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: p, namespace: a, annotations: {istio.io/dry-run: "true"}}
            spec: {action: DENY, rules: [{}]}
            """);
    assertThat(sent(PolicyTranslator.translate(policy, "root")).getDryRun()).isTrue();
  }

  @Test
  void aPrincipalOfTheTrustDomainStandsForItsAliasesAndTheReverse() {
    var policy =
        Objects.policy(
            """
            metadata: {name: p, namespace: shop}
            spec:
              rules:
              - from: [{source: {principals: [td/ns/a/sa/x, other/ns/a/sa/x, "*/sa/y"]}}]
                when: [{key: source.principal, notValues: ["old/ns/b/*"]}]
            """);
    Authorization sent =
        sent(
            PolicyTranslator.translate(
                policy, "root", new TrustDomains("td", List.of("old", "older"))));
    assertThat(sent.getRules(0).getClauses(0).getMatches(0).getPrincipalsList())
        .extracting(match -> match.hasExact() ? match.getExact() : "*" + match.getSuffix())
        .containsExactly(
            "td/ns/a/sa/x", "old/ns/a/sa/x", "older/ns/a/sa/x", "other/ns/a/sa/x", "*/sa/y");
    assertThat(sent.getRules(0).getClauses(1).getMatches(0).getNotPrincipalsList())
        .extracting(match -> match.getPrefix())
        .containsExactly("old/ns/b/", "td/ns/b/", "older/ns/b/");
  }

  @Test
  void aPrincipalWithItsSchemeWouldMatchNobodySoADenialTakesItToMatch() {
    var translation =
        PolicyTranslator.translate(
            Objects.policy(
                """
                metadata: {name: p, namespace: shop}
                spec:
                  action: DENY
                  rules: [{from: [{source: {principals: ["spiffe://td/ns/a/sa/x"]}}]}]
                """),
            "root");
    assertThat(translation.report().verdict()).isEqualTo(PolicyReport.Verdict.STRICTER);
    assertThat(sent(translation).getRules(0).getClausesCount()).isZero();
  }
}
