package dev.ambit.operator.controlplane;

import dev.ambit.operator.FieldManager;
import dev.ambit.operator.model.PolicyReport;
import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.operator.model.Revision;
import io.fabric8.istio.api.api.meta.v1alpha1.IstioCondition;
import io.fabric8.istio.api.api.meta.v1alpha1.IstioConditionBuilder;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.AuthorizationPolicyBuilder;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says on each AuthorizationPolicy, as the condition {@code ZtunnelAccepted}, whether ztunnels
 * enforce it as written, and if not, which fields they do not. Of those that are attached to
 * something, which are waypoints' to enforce, it says nothing.
 */
@ControllerConfiguration(
    name = "authorizationpolicy-status",
    fieldManager = AuthorizationPolicyStatusReconciler.FIELD_MANAGER)
public final class AuthorizationPolicyStatusReconciler implements Reconciler<AuthorizationPolicy> {
  /** Owns this one condition of a policy's status. */
  public static final String FIELD_MANAGER = "ambit-ztunnel-policy";

  static final String CONDITION = "ZtunnelAccepted";
  private static final Logger LOG =
      LoggerFactory.getLogger(AuthorizationPolicyStatusReconciler.class);

  private final String rootNamespace;
  private final InstantSource clock;

  /** Policies of that namespace hold for the whole mesh. */
  public AuthorizationPolicyStatusReconciler(String rootNamespace, InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.clock = clock;
  }

  @Override
  public UpdateControl<AuthorizationPolicy> reconcile(
      AuthorizationPolicy policy, Context<AuthorizationPolicy> context) {
    if (!Revision.isOurs(policy)) {
      // What becomes of it is for another control plane to say.
      return UpdateControl.noUpdate();
    }
    Optional<IstioCondition> before = present(policy);
    if (PolicyTranslator.isForWaypoints(policy)) {
      // Waypoints are those to tell of it; what was said before it was attached to something goes.
      if (before.isPresent()) {
        apply(policy, List.of(), context);
      }
      return UpdateControl.noUpdate();
    }
    IstioCondition wanted = condition(policy);
    if (before.isPresent() && before.get().equals(wanted)) {
      return UpdateControl.noUpdate();
    }
    apply(policy, List.of(wanted), context);
    LOG.atInfo()
        .addKeyValue("namespace", policy.getMetadata().getNamespace())
        .addKeyValue("name", policy.getMetadata().getName())
        .addKeyValue("accepted", wanted.getStatus())
        .addKeyValue("message", wanted.getMessage())
        .log("judged an AuthorizationPolicy");
    return UpdateControl.noUpdate();
  }

  /** A fresh object with nothing but what we own: server-side apply leaves all else alone. */
  private static void apply(
      AuthorizationPolicy policy,
      List<IstioCondition> conditions,
      Context<AuthorizationPolicy> context) {
    AuthorizationPolicy applied =
        new AuthorizationPolicyBuilder()
            .withNewMetadata()
            .withNamespace(policy.getMetadata().getNamespace())
            .withName(policy.getMetadata().getName())
            .endMetadata()
            .withNewStatus()
            .withConditions(conditions)
            .endStatus()
            .build();
    FieldManager.applyStatus(context.getClient(), applied, FIELD_MANAGER);
  }

  private static Optional<IstioCondition> present(AuthorizationPolicy policy) {
    if (policy.getStatus() == null || policy.getStatus().getConditions() == null) {
      return Optional.empty();
    }
    return policy.getStatus().getConditions().stream()
        .filter(condition -> CONDITION.equals(condition.getType()))
        .findFirst();
  }

  /**
   * What the policy's status should say; the time of the last transition is kept where there was
   * none.
   */
  IstioCondition condition(AuthorizationPolicy policy) {
    PolicyReport report = PolicyTranslator.translate(policy, rootNamespace).report();
    boolean accepted =
        switch (report.verdict()) {
          case ACCEPTED -> true;
          case STRICTER, REJECTED -> false;
        };
    String status = accepted ? "True" : "False";
    String since =
        present(policy)
            .filter(condition -> status.equals(condition.getStatus()))
            .map(IstioCondition::getLastTransitionTime)
            .orElseGet(() -> clock.instant().truncatedTo(ChronoUnit.SECONDS).toString());
    return new IstioConditionBuilder()
        .withType(CONDITION)
        .withStatus(status)
        .withReason(accepted ? "Accepted" : "UnsupportedValue")
        .withMessage(report.message())
        .withObservedGeneration(policy.getMetadata().getGeneration())
        .withLastTransitionTime(since)
        .build();
  }
}
