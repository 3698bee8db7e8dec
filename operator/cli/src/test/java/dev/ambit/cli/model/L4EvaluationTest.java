package dev.ambit.cli.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.protocol.security.Authorization;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Verdicts are a ztunnel's: DENY first, then ALLOW where there is any. */
class L4EvaluationTest {
  private static Authorization policy(String name, String spec) {
    AuthorizationPolicy policy =
        new KubernetesSerialization()
            .unmarshal(
                "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: "
                    + name
                    + ", namespace: shop}\nspec: "
                    + spec
                    + "\n",
                AuthorizationPolicy.class);
    return PolicyTranslator.translate(policy, "ambit-system").authorization().orElseThrow();
  }

  private static L4Evaluation.Connection from(@Nullable String principal) {
    return new L4Evaluation.Connection(principal, "10.0.0.9", "10.0.0.1", 8080);
  }

  private static final Authorization FRIENDS =
      policy("friends", "{action: ALLOW, rules: [{from: [{source: {namespaces: [bank]}}]}]}");
  private static final Authorization NO_GUEST =
      policy(
          "no-guest",
          "{action: DENY, rules: [{from: [{source: {principals: [\"*/sa/guest\"]}}]}]}");
  private static final Authorization BY_ADDRESS =
      policy(
          "by-address",
          "{action: DENY, rules: [{from: [{source: {ipBlocks: [10.0.0.8/29]}}], to: [{operation:"
              + " {ports: [\"8080\"]}}]}]}");

  @Test
  void without_policies_all_is_allowed() {
    assertThat(L4Evaluation.judge(List.of(), from(null)))
        .isEqualTo(new L4Evaluation.Verdict.Allowed(null));
  }

  @Test
  void an_allow_policy_refuses_whom_it_does_not_name() {
    assertThat(L4Evaluation.judge(List.of(FRIENDS), from("cluster.local/ns/bank/sa/till")))
        .isEqualTo(new L4Evaluation.Verdict.Allowed("shop/friends"));
    assertThat(L4Evaluation.judge(List.of(FRIENDS), from("cluster.local/ns/other/sa/till")))
        .isEqualTo(new L4Evaluation.Verdict.Denied(null));
    assertThat(L4Evaluation.judge(List.of(FRIENDS), from(null)))
        .isEqualTo(new L4Evaluation.Verdict.Denied(null));
  }

  @Test
  void a_deny_policy_beats_an_allow_policy() {
    assertThat(
            L4Evaluation.judge(List.of(FRIENDS, NO_GUEST), from("cluster.local/ns/bank/sa/guest")))
        .isEqualTo(new L4Evaluation.Verdict.Denied("shop/no-guest"));
  }

  @Test
  void addresses_and_ports_count_for_plaintext_too() {
    assertThat(L4Evaluation.judge(List.of(BY_ADDRESS), from(null)))
        .isEqualTo(new L4Evaluation.Verdict.Denied("shop/by-address"));
    assertThat(
            L4Evaluation.judge(
                List.of(BY_ADDRESS),
                new L4Evaluation.Connection(null, "10.0.0.9", "10.0.0.1", 9090)))
        .isEqualTo(new L4Evaluation.Verdict.Allowed(null));
    assertThat(
            L4Evaluation.judge(
                List.of(BY_ADDRESS),
                new L4Evaluation.Connection(null, "10.0.0.7", "10.0.0.1", 8080)))
        .isEqualTo(new L4Evaluation.Verdict.Allowed(null));
  }

  @Test
  void a_policy_that_is_only_tried_decides_nothing() {
    assertThat(
            L4Evaluation.judge(
                List.of(NO_GUEST.toBuilder().setDryRun(true).build()),
                from("cluster.local/ns/bank/sa/guest")))
        .isEqualTo(new L4Evaluation.Verdict.Allowed(null));
  }
}
