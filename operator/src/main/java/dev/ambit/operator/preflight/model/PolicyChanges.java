package dev.ambit.operator.preflight.model;

import dev.ambit.api.Finding;
import dev.ambit.api.PolicyPlan;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.model.MtlsMode;
import dev.ambit.operator.model.PolicyReport;
import dev.ambit.operator.model.PolicyTranslator;
import dev.ambit.operator.model.Revision;
import dev.ambit.operator.model.StrictCause;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.stream.Stream;

/** Policies that nobody, or a sidecar, enforces outside the mesh, and that ztunnels would. */
public final class PolicyChanges {
  private static final String NOBODY = "nobody";
  private static final String SIDECAR = "sidecar";
  private static final String ZTUNNEL = "ztunnel";
  private static final String WAYPOINT = "waypoint";
  private static final String FOR_WAYPOINTS = "waypoint, where one is bound";

  private PolicyChanges() {}

  /** How a policy fares at layer 4. */
  private sealed interface Fate {
    /** The ztunnel enforces it as it is written. */
    record AsWritten() implements Fate {}

    /** The ztunnel enforces it, and refuses more than is written. */
    record Stricter(PolicyReport report) implements Fate {}

    /** It is for waypoints. */
    record ForWaypoints() implements Fate {}

    /** Nobody at layer 4 enforces it. */
    record Unenforced(PolicyReport report) implements Fate {}
  }

  private static Fate fate(AuthorizationPolicy policy, String rootNamespace) {
    if (PolicyTranslator.isForWaypoints(policy)) {
      return new Fate.ForWaypoints();
    }
    PolicyReport report = PolicyTranslator.translate(policy, rootNamespace).report();
    return switch (report.verdict()) {
      case ACCEPTED -> new Fate.AsWritten();
      case STRICTER -> new Fate.Stricter(report);
      case REJECTED -> new Fate.Unenforced(report);
    };
  }

  static List<Finding> findings(PreflightFacts facts) {
    List<Finding> findings = new ArrayList<>();
    for (Bearing bearing : bearing(facts)) {
      AuthorizationPolicy policy = bearing.policy();
      Fate fate = fate(policy, facts.rootNamespace());
      if (seesTheWaypoint(policy, fate, facts)) {
        findings.add(seesTheWaypoint(policy));
      }
      switch (fate) {
        case Fate.AsWritten ignored -> {
          boolean outside = !facts.capturable().stream().allMatch(Plans::isInMesh);
          if (outside && !bearing.reach().onlySidecars()) {
            findings.add(takesEffect(policy, bearing.reach()));
          }
        }
        case Fate.Stricter(PolicyReport report) ->
            findings.add(stricter(policy, report, bearing.reach()));
        case Fate.ForWaypoints ignored -> {}
        case Fate.Unenforced ignored -> {}
      }
    }
    return findings;
  }

  private static Finding seesTheWaypoint(AuthorizationPolicy policy) {
    return Preflight.finding(
        Severity.WARNING,
        PreflightReasons.POLICY_SEES_WAYPOINT,
        policy,
        "The policy names clients by their identity or address, and ztunnels enforce it: what comes"
            + " through a waypoint has the waypoint's. So it would "
            + (action(policy) == AuthorizationPolicyAction.ALLOW
                ? "no longer allow those clients' requests to services, or allow all that the"
                    + " waypoint lets through."
                : "no longer stop those clients' requests to services.")
            + " Attach it to the Service with targetRefs, for the waypoint to enforce.");
  }

  private static Finding takesEffect(AuthorizationPolicy policy, Reach reach) {
    return Preflight.finding(
        Severity.WARNING,
        PreflightReasons.POLICY_TAKES_EFFECT,
        policy,
        "Nobody enforces the policy on pods "
            + (reach.sidecars() ? "without sidecar " : "")
            + "outside the mesh; the ztunnel does on captured ones. Clients outside the mesh have no"
            + " identity, so rules with principals, namespaces or serviceAccounts do not match"
            + " them.");
  }

  private static Finding stricter(AuthorizationPolicy policy, PolicyReport report, Reach reach) {
    boolean denies = action(policy) == AuthorizationPolicyAction.ALLOW;
    return Preflight.finding(
        denies && !reach.onlySidecars() ? Severity.ERROR : Severity.WARNING,
        denies ? PreflightReasons.POLICY_DENIES : PreflightReasons.POLICY_STRICTER,
        policy,
        report.message()
            + ". "
            + (denies
                ? "What these rules should allow would be denied. "
                : "More would be denied than is written. ")
            + (reach.sidecars()
                ? "Sidecars enforce all of it, until their pods are restarted without. "
                : "")
            + "Attach the policy to a Service or Gateway with targetRefs, for a waypoint to"
            + " enforce, or keep it to what layer 4 knows.");
  }

  /** A policy at layer 4 that tells clients apart, where a waypoint comes between. */
  private static boolean seesTheWaypoint(
      AuthorizationPolicy policy, Fate fate, PreflightFacts facts) {
    boolean atZtunnels = fate instanceof Fate.AsWritten || fate instanceof Fate.Stricter;
    return facts.stage() == Stage.L7
        && atZtunnels
        && policy.getSpec() != null
        && policy.getSpec().getRules() != null
        && policy.getSpec().getRules().stream()
            .anyMatch(
                rule ->
                    (rule.getFrom() != null && !rule.getFrom().isEmpty())
                        || (rule.getWhen() != null
                            && rule.getWhen().stream()
                                .anyMatch(
                                    when -> String.valueOf(when.getKey()).startsWith("source."))));
  }

  private static AuthorizationPolicyAction action(AuthorizationPolicy policy) {
    return policy.getSpec() == null || policy.getSpec().getAction() == null
        ? AuthorizationPolicyAction.ALLOW
        : policy.getSpec().getAction();
  }

  /** What makes captured pods refuse plaintext while some of the namespace's pods are outside. */
  static Set<StrictCause> strict(PreflightFacts facts) {
    return strict(facts, facts.capturable());
  }

  private static Set<StrictCause> strict(PreflightFacts facts, List<Pod> pods) {
    return StrictCause.of(
        facts.namespace(),
        facts.rootNamespace(),
        facts.peerAuthentications(),
        // An enrollment that asks for strict mTLS is permissive until all pods are in the mesh.
        facts.target().mtls() == null ? MtlsMode.UNSET : MtlsMode.PERMISSIVE,
        switch (facts.target().meshMtls()) {
          case STRICT -> MtlsMode.STRICT;
          case PERMISSIVE -> MtlsMode.PERMISSIVE;
        },
        pods.stream().map(Preflight::labels).toList());
  }

  private static Stream<PeerAuthentication> policy(StrictCause cause) {
    return switch (cause) {
      case StrictCause.Mesh ignored -> Stream.of();
      case StrictCause.Policy(PeerAuthentication policy) -> Stream.of(policy);
      case StrictCause.Ports(PeerAuthentication policy, SortedSet<Integer> ignored) ->
          Stream.of(policy);
    };
  }

  /** Who enforces each policy that bears on the namespace's pods. */
  static List<PolicyPlan> plans(PreflightFacts facts, boolean inMesh, boolean wouldBe) {
    List<PolicyPlan> plans = new ArrayList<>();
    for (Bearing bearing : bearing(facts)) {
      AuthorizationPolicy policy = bearing.policy();
      Fate fate = fate(policy, facts.rootNamespace());
      boolean fromSidecars = bearing.reach().sidecars() && wouldBe;
      plans.add(
          new PolicyPlan(
              name(policy),
              before(fate, bearing.reach(), inMesh),
              fate instanceof Fate.ForWaypoints && facts.stage() == Stage.L7
                  ? WAYPOINT
                  : after(fate, bearing.reach(), wouldBe),
              seesTheWaypoint(policy, fate, facts)
                  || switch (fate) {
                    case Fate.Stricter ignored -> inMesh != wouldBe || fromSidecars;
                    case Fate.Unenforced ignored -> fromSidecars;
                    case Fate.AsWritten ignored -> false;
                    case Fate.ForWaypoints ignored -> false;
                  }));
    }
    Set<StrictCause> causes = new LinkedHashSet<>(strict(facts));
    if (!facts.sidecars().isEmpty()) {
      causes.addAll(strict(facts, facts.sidecars()));
    }
    List<PeerAuthentication> strict =
        causes.stream().flatMap(PolicyChanges::policy).distinct().toList();
    for (PeerAuthentication policy : strict) {
      Reach reach = reach(policy, selector(policy), facts);
      Fate fate = new Fate.AsWritten();
      plans.add(
          new PolicyPlan(
              name(policy), before(fate, reach, inMesh), after(fate, reach, wouldBe), false));
    }
    for (RequestAuthentication policy : facts.requestAuthentications()) {
      if (!Revision.isOurs(policy)) {
        continue;
      }
      plans.add(
          new PolicyPlan(
              name(policy),
              FOR_WAYPOINTS,
              facts.stage() == Stage.L7 ? WAYPOINT : FOR_WAYPOINTS,
              false));
    }
    return plans.stream().sorted(Comparator.comparing(PolicyPlan::policy)).toList();
  }

  private static String before(Fate fate, Reach reach, boolean inMesh) {
    String sidecars = reach.sidecars() ? SIDECAR : NOBODY;
    if (fate instanceof Fate.ForWaypoints) {
      return FOR_WAYPOINTS;
    }
    String others = reach.onlySidecars() ? NOBODY : enforcer(fate, inMesh);
    return others.equals(NOBODY)
        ? sidecars
        : reach.sidecars() ? sidecars + " and " + others : others;
  }

  private static String after(Fate fate, Reach reach, boolean wouldBe) {
    if (fate instanceof Fate.ForWaypoints || !reach.sidecars()) {
      return enforcer(fate, wouldBe);
    }
    return wouldBe
        ? enforcer(fate, true) + "; " + SIDECAR + " until a pod is restarted without"
        : SIDECAR;
  }

  /** Who enforces a policy on pods without sidecar. */
  private static String enforcer(Fate fate, boolean inMesh) {
    return switch (fate) {
      case Fate.ForWaypoints ignored -> FOR_WAYPOINTS;
      case Fate.Unenforced ignored -> NOBODY;
      case Fate.AsWritten ignored -> inMesh ? ZTUNNEL : NOBODY;
      case Fate.Stricter ignored -> inMesh ? "ztunnel, more strictly than written" : NOBODY;
    };
  }

  private static String name(HasMetadata policy) {
    return policy.getKind()
        + " "
        + policy.getMetadata().getNamespace()
        + "/"
        + policy.getMetadata().getName();
  }

  private static Map<String, String> selector(PeerAuthentication policy) {
    return policy.getSpec() == null
            || policy.getSpec().getSelector() == null
            || policy.getSpec().getSelector().getMatchLabels() == null
        ? Map.of()
        : policy.getSpec().getSelector().getMatchLabels();
  }

  private record Bearing(AuthorizationPolicy policy, Reach reach) {}

  private static List<Bearing> bearing(PreflightFacts facts) {
    return facts.authorizationPolicies().stream()
        .filter(policy -> !DryRun.is(policy))
        .map(policy -> new Bearing(policy, reach(policy, PolicyTranslator.selector(policy), facts)))
        .filter(bearing -> bearing.reach().any())
        .toList();
  }

  /** Which of the namespace's pods a policy is for: those to be captured, those with a sidecar. */
  private record Reach(boolean others, boolean sidecars) {
    boolean any() {
      return others || sidecars;
    }

    boolean onlySidecars() {
      return sidecars && !others;
    }
  }

  /** In the root namespace a policy holds for the mesh; its selector, where it has one, chooses. */
  private static Reach reach(
      HasMetadata policy, Map<String, String> selector, PreflightFacts facts) {
    String namespace = policy.getMetadata().getNamespace();
    boolean here = facts.namespace().equals(namespace) || facts.rootNamespace().equals(namespace);
    if (!here || !Revision.isOurs(policy)) {
      return new Reach(false, false);
    }
    boolean sidecars = facts.sidecars().stream().anyMatch(pod -> selects(selector, pod));
    return new Reach(
        facts.capturable().stream().anyMatch(pod -> selects(selector, pod))
            || (selector.isEmpty() && !sidecars),
        sidecars);
  }

  private static boolean selects(Map<String, String> selector, Pod pod) {
    return Preflight.labels(pod).entrySet().containsAll(selector.entrySet());
  }
}
