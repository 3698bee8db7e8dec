package dev.ambit.operator.enrollment.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.operator.model.ObjectCondition;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** An enrollment says whether all policies of its namespace are enforced, and which are not. */
class PoliciesConditionTest {
  private MeshEnrollmentStatus status = MeshEnrollmentStatus.NOTHING_YET;
  private boolean captured = true;

  private Condition condition(@Nullable List<JudgedPolicy> policies) {
    var pod =
        new PodBuilder()
            .withNewMetadata()
            .withNamespace("shop")
            .withName("cart")
            .withUid("cart")
            .withLabels(Map.of("app", "cart"))
            .withAnnotations(
                captured ? Map.of(WellKnown.REDIRECTION, WellKnown.REDIRECTION_ENABLED) : Map.of())
            .endMetadata()
            .withNewStatus()
            .withPhase("Running")
            .withPodIP("10.0.0.1")
            .endStatus()
            .build();
    for (int i = 0; i < 2; i++) {
      var observed =
          new EnrollmentObservation(
              new EnrollmentSource.User(MeshEnrollmentSpec.of(Stage.L4)),
              1,
              status,
              DataplaneMode.ABSENT,
              "",
              0,
              false,
              true,
              600,
              new EnrolledPods(
                  "shop", Map.of(), Set.of(), List.of(pod), Map.of("cart", Proof.HOLDS)),
              WaypointState.NONE,
              List.of(),
              Traffic.NONE,
              MtlsObservation.NONE,
              "ambit-system",
              Optional.ofNullable(policies),
              Optional.of(Instant.EPOCH),
              Instant.EPOCH);
      status = StatusReport.of(observed, Assessment.of(observed), null);
    }
    return Conditions.find(status.conditions(), Conditions.POLICIES_ENFORCED).orElseThrow();
  }

  private static JudgedPolicy policy(String namespace, String name, String spec) {
    return new JudgedPolicy(
        Serialization.unmarshal(
            "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {namespace: "
                + namespace
                + ", name: "
                + name
                + "}\nspec: "
                + spec,
            AuthorizationPolicy.class),
        Optional.empty());
  }

  private static JudgedPolicy judged(JudgedPolicy policy, boolean holds, String reason) {
    return new JudgedPolicy(
        policy.policy(),
        Optional.of(
            new ObjectCondition(ObjectCondition.WAYPOINT_ACCEPTED, holds, reason, "because of x")));
  }

  private static final String ATTACHED = "{targetRefs: [{kind: Service, name: web}], rules: [{}]}";

  @Test
  void whereThereAreNoneThereIsNothingToEnforce() {
    assertThat(condition(List.of()).getReason()).isEqualTo("NoPolicies");
    assertThat(
            condition(
                    List.of(
                        policy("shop", "others", "{selector: {matchLabels: {app: gone}}}"),
                        policy("ambit-system", "classes", ATTACHED)))
                .getReason())
        .isEqualTo("NoPolicies");
  }

  @Test
  void eachAtItsPlace() {
    Condition condition =
        condition(
            List.of(
                policy("shop", "l4", "{rules: [{from: [{source: {namespaces: [shop]}}]}]}"),
                policy("ambit-system", "mesh", "{action: DENY}"),
                judged(policy("shop", "l7", ATTACHED), true, "Accepted")));
    assertThat(condition.getStatus()).isEqualTo("True");
    assertThat(condition.getMessage())
        .contains("Each of 3 policies", "2 by ztunnels", "1 by waypoints");
  }

  @Test
  void oneThatNobodyEnforcesIsNamedWithTheFields() {
    Condition condition = condition(List.of(policy("shop", "audits", "{action: AUDIT}")));
    assertThat(condition.getReason()).isEqualTo("NotEnforced");
    assertThat(condition.getMessage()).contains("AuthorizationPolicy shop/audits", "spec.action");
    assertThat(condition(List.of(policy("shop", "l7", ATTACHED))).getMessage())
        .contains("shop/l7", "no waypoint");
    condition =
        condition(List.of(judged(policy("shop", "l7", ATTACHED), false, "AncestorNotBound")));
    assertThat(condition.getStatus()).isEqualTo("False");
    assertThat(condition.getMessage()).contains("shop/l7: because of x");
    HasMetadata tokens =
        Serialization.unmarshal(
            "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {namespace:"
                + " shop, name: tokens}",
            RequestAuthentication.class);
    assertThat(condition(List.of(new JudgedPolicy(tokens, Optional.empty()))).getMessage())
        .contains("RequestAuthentication shop/tokens");
  }

  @Test
  void oneThatIsEnforcedOtherwiseThanWrittenIsNamedWithTheFields() {
    Condition condition =
        condition(
            List.of(
                policy("shop", "paths", "{rules: [{to: [{operation: {paths: [/x]}}]}]}"),
                policy("shop", "l4", "{}")));
    assertThat(condition.getReason()).isEqualTo("NotAsWritten");
    assertThat(condition.getMessage()).contains("shop/paths", "spec.rules[0].to[0].operation");
    assertThat(
            condition(List.of(judged(policy("shop", "l7", ATTACHED), true, "PartiallyInvalid")))
                .getReason())
        .isEqualTo("NotAsWritten");
  }

  @Test
  void whatIsOnlyTriedDoesNotCount() {
    JudgedPolicy tried = policy("shop", "tried", "{action: AUDIT}");
    tried.policy().getMetadata().setAnnotations(Map.of("istio.io/dry-run", "true"));
    assertThat(condition(List.of(tried)).getReason()).isEqualTo("NoPolicies");
  }

  @Test
  void podsThatAreNotCapturedEnforceNothing() {
    captured = false;
    Condition condition = condition(List.of(policy("shop", "l4", "{action: DENY}")));
    assertThat(condition.getReason()).isEqualTo("PodsNotInMesh");
    assertThat(condition.getMessage()).contains("0 of 1");
  }

  @Test
  void anOperatorThatDoesNotKnowYetLetsWhatWasSaidStand() {
    Condition said = condition(List.of(policy("shop", "audits", "{action: AUDIT}")));
    assertThat(condition(null)).isEqualTo(said);
  }
}
