package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.istio.api.api.meta.v1alpha1.IstioCondition;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.AuthorizationPolicyBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class AuthorizationPolicyStatusReconcilerTest {
  private final AtomicReference<Instant> now =
      new AtomicReference<>(Instant.parse("2026-11-22T12:00:00Z"));
  private final AuthorizationPolicyStatusReconciler reconciler =
      new AuthorizationPolicyStatusReconciler("ambit-system", now::get);

  private static AuthorizationPolicy policy(String spec) {
    return Serialization.unmarshal(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
            + "metadata: {name: p, namespace: shop, generation: 3}\nspec: "
            + spec,
        AuthorizationPolicy.class);
  }

  @Test
  void aPolicyThatIsEnforcedAsWrittenIsAccepted() {
    IstioCondition condition =
        reconciler.condition(policy("{rules: [{to: [{operation: {ports: ['80']}}]}]}"));
    assertThat(condition.getType()).isEqualTo("ZtunnelAccepted");
    assertThat(condition.getStatus()).isEqualTo("True");
    assertThat(condition.getReason()).isEqualTo("Accepted");
    assertThat(condition.getObservedGeneration()).isEqualTo(3);
  }

  @Test
  void fieldsThatAreNotEnforcedAreNamed() {
    IstioCondition condition =
        reconciler.condition(
            policy("{action: DENY, rules: [{to: [{operation: {methods: ['GET']}}]}]}"));
    assertThat(condition.getStatus()).isEqualTo("False");
    assertThat(condition.getReason()).isEqualTo("UnsupportedValue");
    assertThat(condition.getMessage())
        .contains("spec.rules[0].to[0].operation.methods")
        .contains("more is denied");
    assertThat(reconciler.condition(policy("{action: CUSTOM, rules: [{}]}")).getMessage())
        .contains("is denied")
        .contains("spec.action");
    assertThat(reconciler.condition(policy("{action: AUDIT}")).getMessage())
        .contains("do not enforce")
        .contains("spec.action");
  }

  @Test
  void theTimeOfTransitionStaysWhileTheAnswerDoes() {
    AuthorizationPolicy policy = policy("{rules: [{}]}");
    IstioCondition first = reconciler.condition(policy);
    AuthorizationPolicy judged =
        new AuthorizationPolicyBuilder(policy)
            .withNewStatus()
            .withConditions(first)
            .endStatus()
            .build();
    now.set(Instant.parse("2026-11-23T12:00:00Z"));
    assertThat(reconciler.condition(judged)).isEqualTo(first);
    judged.getSpec().setTargetRefs(java.util.List.of());
    judged
        .getSpec()
        .setAction(io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction.AUDIT);
    assertThat(reconciler.condition(judged).getLastTransitionTime())
        .isEqualTo("2026-11-23T12:00:00Z");
  }
}
