package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.Stage;
import dev.ambit.capture.PodNumber;
import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.model.PolicyReport;
import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.operator.model.Revision;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Says whether every policy that bears on a namespace's pods and services is enforced as it is
 * written: at layer 4 by ztunnels, or by waypoints. Those that are only to be tried do not count.
 */
final class PoliciesCondition {
  private static final int MOST_NAMED = 3;

  private PoliciesCondition() {}

  /** What becomes of one policy. */
  private sealed interface Fate {
    /** It does not bear on the namespace, or is not to be enforced. */
    record Irrelevant() implements Fate {}

    /** As it is written. */
    record Enforced(boolean byZtunnels) implements Fate {}

    /** Otherwise than it is written. */
    record Otherwise(String how) implements Fate {}

    /** By nobody. */
    record Nowhere(String why) implements Fate {}
  }

  /** The condition; nothing where nobody asks the namespace into the mesh. */
  static Optional<Wanted> of(EnrollmentObservation observed, Assessment assessment) {
    boolean counts =
        switch (observed.source()) {
          case EnrollmentSource.Labels ignored -> true;
          case EnrollmentSource.User ignored -> true;
          case EnrollmentSource.Plan ignored -> false;
          case EnrollmentSource.Superseded ignored -> false;
        };
    if (!counts || observed.asked() == Stage.NONE) {
      return Optional.empty();
    }
    // An operator that has just begun does not know yet; what the last one said stands meanwhile.
    return observed.policies().isPresent()
        ? Optional.of(judge(observed, assessment, observed.policies().get()))
        : Conditions.find(observed.before().conditions(), Conditions.POLICIES_ENFORCED)
            .map(PoliciesCondition::asItWas);
  }

  private static Wanted asItWas(Condition before) {
    return new Wanted(
        before.getType(),
        "True".equals(before.getStatus()),
        before.getReason(),
        before.getMessage());
  }

  private static Wanted judge(
      EnrollmentObservation observed, Assessment assessment, List<JudgedPolicy> policies) {
    List<String> nowhere = new ArrayList<>();
    List<String> otherwise = new ArrayList<>();
    int byZtunnels = 0;
    int byWaypoints = 0;
    List<Pod> capturable = observed.pods().capturable();
    List<JudgedPolicy> ordered =
        policies.stream().sorted(Comparator.comparing(each -> name(each.policy()))).toList();
    for (JudgedPolicy policy : ordered) {
      switch (fate(policy, capturable, observed)) {
        case Fate.Irrelevant ignored -> {}
        case Fate.Enforced(boolean atZtunnels) -> {
          byZtunnels += atZtunnels ? 1 : 0;
          byWaypoints += atZtunnels ? 0 : 1;
        }
        case Fate.Otherwise(String how) -> otherwise.add(name(policy.policy()) + ": " + how);
        case Fate.Nowhere(String why) -> nowhere.add(name(policy.policy()) + ": " + why);
      }
    }
    if (!nowhere.isEmpty()) {
      return wanted(false, "NotEnforced", "Nobody enforces " + named(nowhere));
    }
    if (!otherwise.isEmpty()) {
      return wanted(false, "NotAsWritten", "Not enforced as written: " + named(otherwise));
    }
    int all = byZtunnels + byWaypoints;
    if (all == 0) {
      return wanted(true, "NoPolicies", "No policy bears on the namespace.");
    }
    if (byZtunnels > 0 && !isCaptured(observed, assessment)) {
      return wanted(
          false,
          "PodsNotInMesh",
          byZtunnels
              + " policies are enforced by ztunnels, and hold for pods that are captured only: "
              + assessment.census().captured()
              + " of "
              + assessment.census().total()
              + ".");
    }
    return wanted(
        true,
        "AllEnforced",
        "Each of "
            + all
            + " policies is enforced as it is written: "
            + byZtunnels
            + " by ztunnels, "
            + byWaypoints
            + " by waypoints.");
  }

  private static boolean isCaptured(EnrollmentObservation observed, Assessment assessment) {
    boolean all = assessment.inForce() == null || assessment.inForce().cut() >= PodNumber.ALL;
    return all && assessment.census().waiting().isEmpty() && !observed.namespaceExcluded();
  }

  private static String named(List<String> policies) {
    return String.join("; ", policies.subList(0, Math.min(MOST_NAMED, policies.size())))
        + (policies.size() > MOST_NAMED
            ? "; and " + (policies.size() - MOST_NAMED) + " more policies"
            : "")
        + ". See the policies' own status.";
  }

  private static Fate fate(
      JudgedPolicy judged, List<Pod> capturable, EnrollmentObservation observed) {
    HasMetadata policy = judged.policy();
    boolean own = observed.pods().namespace().equals(policy.getMetadata().getNamespace());
    if (!Revision.isOurs(policy) || DryRun.is(policy)) {
      return new Fate.Irrelevant();
    }
    boolean forZtunnels =
        policy instanceof AuthorizationPolicy authorization
            && !PolicyTranslator.isForWaypoints(authorization);
    if (forZtunnels) {
      return atZtunnels((AuthorizationPolicy) policy, capturable, observed.rootNamespace());
    }
    // What the root namespace attaches is for waypoints of a class, and concerns who has one.
    return own || observed.asked() == Stage.L7 ? atWaypoints(judged) : new Fate.Irrelevant();
  }

  private static Fate atZtunnels(
      AuthorizationPolicy policy, List<Pod> capturable, String rootNamespace) {
    Map<String, String> selector = PolicyTranslator.selector(policy);
    boolean bears =
        selector.isEmpty() || capturable.stream().anyMatch(pod -> selects(selector, pod));
    if (!bears) {
      return new Fate.Irrelevant();
    }
    PolicyReport report = PolicyTranslator.translate(policy, rootNamespace).report();
    return switch (report.verdict()) {
      case ACCEPTED -> new Fate.Enforced(true);
      case STRICTER -> new Fate.Otherwise(report.message());
      case REJECTED -> new Fate.Nowhere(report.message());
    };
  }

  private static Fate atWaypoints(JudgedPolicy judged) {
    if (judged.byWaypoints().isEmpty()) {
      return new Fate.Nowhere("no waypoint has looked at it yet");
    }
    ObjectCondition condition = judged.byWaypoints().get();
    if (!condition.holds()) {
      return new Fate.Nowhere(condition.message());
    }
    return "Accepted".equals(condition.reason())
        ? new Fate.Enforced(false)
        : new Fate.Otherwise(condition.message());
  }

  private static boolean selects(Map<String, String> selector, Pod pod) {
    return Objects.requireNonNullElse(pod.getMetadata().getLabels(), Map.<String, String>of())
        .entrySet()
        .containsAll(selector.entrySet());
  }

  private static String name(HasMetadata policy) {
    return policy.getKind()
        + " "
        + policy.getMetadata().getNamespace()
        + "/"
        + policy.getMetadata().getName();
  }

  private static Wanted wanted(boolean holds, String reason, String message) {
    return new Wanted(Conditions.POLICIES_ENFORCED, holds, reason, message);
  }
}
