package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What waypoints make of a policy.
 *
 * @param generation that this is about
 * @param message for a person
 */
public record SecurityReport(
    ObjectReference object, long generation, Verdict verdict, String message) {
  /** Of a status: Istio's type for what waypoints make of a policy. */
  public static final String CONDITION = "WaypointAccepted";

  private static final int MOST_LISTED = 20;

  /** For the object's status. */
  public ObjectCondition condition() {
    return new ObjectCondition(
            ObjectCondition.WAYPOINT_ACCEPTED, verdict.isAccepted(), verdict.reason(), message)
        .of(generation);
  }

  /** The short answer, with Istio's reasons. */
  public enum Verdict {
    /** All of it is enforced. */
    ACCEPTED(true, "Accepted"),
    /** It is enforced, but not everywhere, or more strictly than it is written. */
    PARTIALLY_INVALID(true, "PartiallyInvalid"),
    /** None of it is done as it is written. */
    INVALID(false, "Invalid"),
    /** What it is attached to is not there. */
    TARGET_NOT_FOUND(false, "TargetNotFound"),
    /** What it is attached to has no waypoint. */
    ANCESTOR_NOT_BOUND(false, "AncestorNotBound");

    private final boolean accepted;
    private final String reason;

    Verdict(boolean accepted, String reason) {
      this.accepted = accepted;
      this.reason = reason;
    }

    /** Whether waypoints do any of it. */
    public boolean isAccepted() {
      return accepted;
    }

    /** As a condition's reason. */
    public String reason() {
      return reason;
    }
  }

  /** What becomes of a policy at one target; nothing is wrong where it says nothing. */
  private record Outcome(Verdict verdict, String message) {}

  /** Empty where the policy is not for waypoints, and ztunnels are those to tell of it. */
  public static Optional<SecurityReport> of(
      AuthorizationPolicy policy,
      PolicyIndex index,
      PolicyTargets targets,
      SecuritySettings settings) {
    List<Target> attached = Target.of(policy, settings.rootNamespace());
    if (attached.isEmpty()) {
      return Optional.empty();
    }
    List<String> findings = new ArrayList<>();
    if (policy.getSpec().getSelector() != null) {
      findings.add("spec.selector: is not looked at, since there are targetRefs");
    }
    boolean invalid = false;
    boolean http = attached.stream().anyMatch(target -> hasHttp(target, targets));
    if (http) {
      PolicyRules.of(policy, settings.trustDomains(), Layer.HTTP)
          .findings()
          .forEach(finding -> findings.add(finding.toString()));
    }
    Set<String> others = portsWithoutHttp(attached, targets);
    if (!others.isEmpty()) {
      Set<String> seen = new LinkedHashSet<>(findings);
      List<String> more =
          PolicyRules.of(policy, settings.trustDomains(), Layer.TCP).findings().stream()
              .map(Finding::toString)
              .filter(finding -> !seen.contains(finding))
              .toList();
      if (!more.isEmpty()) {
        findings.add("on " + String.join(", ", others) + ": " + String.join("; ", more));
      }
    }
    if (PolicyRules.action(policy) == AuthorizationPolicyAction.CUSTOM && DryRun.is(policy)) {
      findings.add("spec.action: CUSTOM cannot be tried, and nobody is asked");
    } else if (PolicyRules.action(policy) == AuthorizationPolicyAction.CUSTOM) {
      if (!others.isEmpty()) {
        findings.add(
            "on "
                + String.join(", ", others)
                + ": external authorizers are asked about requests only; what the rules match is"
                + " denied");
      }
      Optional<String> broken = broken(policy, targets, settings);
      broken.ifPresent(findings::add);
      invalid = broken.isPresent();
      if (broken.isEmpty()) {
        findings.addAll(rivals(policy, attached, targets, index));
      }
    }
    return Optional.of(
        report(
            policy,
            attached.stream().map(target -> at(target, targets)).toList(),
            findings,
            invalid,
            DryRun.is(policy) ? "tried, and not enforced" : "enforced"));
  }

  /** On each, also where it is attached to nothing, since nobody else looks at it then. */
  public static SecurityReport of(
      RequestAuthentication policy, PolicyTargets targets, SecuritySettings settings) {
    List<Target> attached = Target.of(policy, settings.rootNamespace());
    if (attached.isEmpty()) {
      return report(
          policy,
          Verdict.INVALID,
          "nobody verifies tokens for this policy, since it is attached to nothing: name a Service,"
              + " ServiceEntry or Gateway in spec.targetRefs");
    }
    List<String> findings = new ArrayList<>();
    if (policy.getSpec().getSelector() != null) {
      findings.add("spec.selector: is not looked at, since there are targetRefs");
    }
    TokenRules.findings(policy).forEach(finding -> findings.add(finding.toString()));
    if (attached.stream().noneMatch(target -> hasHttp(target, targets))
        && attached.stream().anyMatch(target -> !ports(target, targets).isEmpty())) {
      findings.add("no port is HTTP, so there is no request to look for a token in");
    }
    return report(
        policy,
        attached.stream().map(target -> at(target, targets)).toList(),
        findings,
        false,
        "enforced");
  }

  private static SecurityReport report(
      HasMetadata policy,
      List<Outcome> outcomes,
      List<String> findings,
      boolean invalid,
      String how) {
    List<Outcome> failed =
        outcomes.stream().filter(outcome -> !outcome.verdict().isAccepted()).toList();
    String failures = failed.stream().map(Outcome::message).collect(Collectors.joining("; "));
    if (failed.size() == outcomes.size()) {
      Verdict verdict =
          failed.stream().map(Outcome::verdict).distinct().count() == 1
              ? failed.getFirst().verdict()
              : Verdict.INVALID;
      return report(policy, verdict, "this policy is enforced nowhere: " + failures);
    }
    String accepted =
        outcomes.stream()
            .filter(outcome -> outcome.verdict().isAccepted())
            .map(Outcome::message)
            .collect(Collectors.joining("; "));
    StringBuilder message = new StringBuilder("this policy is ").append(how).append(' ');
    message.append(accepted);
    if (!failed.isEmpty()) {
      message.append("; but not everywhere: ").append(failures);
    }
    if (!findings.isEmpty()) {
      message
          .append("; not as it is written: ")
          .append(findings.stream().limit(MOST_LISTED).collect(Collectors.joining("; ")));
      if (findings.size() > MOST_LISTED) {
        message.append("; and ").append(findings.size() - MOST_LISTED).append(" more");
      }
    }
    Verdict verdict =
        invalid
            ? Verdict.INVALID
            : failed.isEmpty() && findings.isEmpty() ? Verdict.ACCEPTED : Verdict.PARTIALLY_INVALID;
    return report(policy, verdict, message.toString());
  }

  private static SecurityReport report(HasMetadata policy, Verdict verdict, String message) {
    Long generation = policy.getMetadata().getGeneration();
    return new SecurityReport(
        ObjectReference.of(policy), generation == null ? 0 : generation, verdict, message);
  }

  private static Outcome at(Target target, PolicyTargets targets) {
    if (targets.isAnothers(target)) {
      return new Outcome(
          Verdict.ANCESTOR_NOT_BOUND, "another controller has the waypoints of " + target);
    }
    return switch (target) {
      case Target.Unsupported(String text, String why) ->
          new Outcome(Verdict.INVALID, text + " " + why);
      case Target.OfService(MeshService.Kind kind, String namespace, String name) -> {
        List<MeshService> hosts = targets.services().allNamed(kind, namespace, name);
        if (hosts.isEmpty()) {
          yield new Outcome(Verdict.TARGET_NOT_FOUND, target + " does not exist");
        }
        // Of several hosts those that have no address have no waypoint either.
        MeshService service =
            hosts.stream()
                .filter(host -> targets.past(host).isEmpty())
                .findFirst()
                .orElse(hosts.getFirst());
        Optional<String> past = targets.past(service);
        if (past.isPresent()) {
          yield new Outcome(
              Verdict.ANCESTOR_NOT_BOUND,
              "no waypoint enforces it for " + target + ": " + past.get());
        }
        List<WaypointGateway> waypoints = targets.waypointsOf(service);
        yield waypoints.isEmpty()
            ? new Outcome(
                Verdict.ANCESTOR_NOT_BOUND,
                target + " has no waypoint; bind it to one with the label istio.io/use-waypoint")
            : new Outcome(Verdict.ACCEPTED, "for " + target + " by waypoint " + joined(waypoints));
      }
      case Target.OfGateway(String namespace, String name) ->
          targets.waypoints().stream()
                  .anyMatch(each -> each.namespace().equals(namespace) && each.name().equals(name))
              ? new Outcome(
                  Verdict.ACCEPTED, "for all that goes through waypoint " + namespace + "/" + name)
              : new Outcome(
                  Verdict.TARGET_NOT_FOUND,
                  target + " does not exist or is no waypoint of this mesh");
      case Target.OfClass(String name) ->
          targets.classes().contains(name)
              ? new Outcome(
                  Verdict.ACCEPTED, "for all that goes through waypoints of class " + name)
              : new Outcome(
                  Verdict.TARGET_NOT_FOUND,
                  target + " does not exist or is no class of waypoints of this mesh");
    };
  }

  private static String joined(Collection<WaypointGateway> waypoints) {
    return waypoints.stream()
        .map(WaypointGateway::toString)
        .sorted()
        .collect(Collectors.joining(", "));
  }

  // --- Ports

  private static boolean hasHttp(Target target, PolicyTargets targets) {
    return services(target, targets).stream()
            .flatMap(service -> service.ports().stream())
            .anyMatch(port -> port.protocol().isHttp())
        // Nothing is there yet: what would be wrong with requests is wrong then.
        || ports(target, targets).isEmpty();
  }

  /** Those that may carry something else than HTTP, for a person. */
  private static Set<String> portsWithoutHttp(List<Target> attached, PolicyTargets targets) {
    Set<String> ports = new LinkedHashSet<>();
    for (Target target : attached) {
      for (MeshService service : services(target, targets)) {
        for (ServicePort port : service.ports()) {
          switch (port.protocol()) {
            case TCP, TLS -> ports.add("port " + port.number() + " of " + service.name());
            // Where it turns out not to be HTTP it is judged as these are; that is no fault of the
            // policy's.
            case HTTP, HTTP2, GRPC, DETECTED -> {}
          }
        }
      }
    }
    return ports.size() <= MOST_LISTED
        ? ports
        : Set.of(ports.size() + " ports that are not declared as HTTP");
  }

  private static List<ServicePort> ports(Target target, PolicyTargets targets) {
    return services(target, targets).stream().flatMap(service -> service.ports().stream()).toList();
  }

  private static Collection<MeshService> services(Target target, PolicyTargets targets) {
    return switch (target) {
      case Target.Unsupported _ -> List.of();
      case Target.OfService(MeshService.Kind kind, String namespace, String name) ->
          targets.services().allNamed(kind, namespace, name).stream()
              .filter(service -> !targets.waypointsOf(service).isEmpty())
              .toList();
      case Target.OfGateway(String namespace, String name) ->
          targets.waypoints().stream()
              .filter(each -> each.namespace().equals(namespace) && each.name().equals(name))
              .flatMap(each -> targets.behind(each).stream())
              .toList();
      case Target.OfClass(String name) ->
          targets.waypoints().stream()
              .filter(each -> each.className().equals(name))
              .flatMap(each -> targets.behind(each).stream())
              .toList();
    };
  }

  // --- External authorizers

  /** Why the authorizer that a policy names cannot be asked. */
  private static Optional<String> broken(
      AuthorizationPolicy policy, PolicyTargets targets, SecuritySettings settings) {
    Optional<String> provider = CustomPolicies.provider(policy);
    String denied = "; what the rules match is denied";
    if (provider.isEmpty()) {
      return Optional.of("spec.provider.name: is missing" + denied);
    }
    MeshServices services = targets.services();
    return switch (ExternalAuthorizer.of(provider.get(), settings, services)) {
      case ExternalAuthorizer.Result.Missing(String why) ->
          Optional.of("spec.provider.name: " + why + denied);
      case ExternalAuthorizer.Result.Found _ -> Optional.empty();
    };
  }

  /** Services that ask another authorizer, which an older policy names; one can ask one alone. */
  private static Set<String> rivals(
      AuthorizationPolicy policy, List<Target> attached, PolicyTargets targets, PolicyIndex index) {
    Set<String> rivals = new LinkedHashSet<>();
    for (Target target : attached) {
      for (MeshService service : services(target, targets)) {
        for (WaypointGateway waypoint : targets.waypointsOf(service)) {
          CustomPolicies.chosen(index.at(waypoint, Optional.of(service)).authorizations())
              .filter(chosen -> !Optional.of(chosen).equals(CustomPolicies.provider(policy)))
              .ifPresent(
                  chosen ->
                      rivals.add(
                          "requests to "
                              + service.key()
                              + ": an older policy has provider \""
                              + chosen
                              + "\" asked, and only one can be; what the rules match is denied"));
        }
      }
    }
    return rivals;
  }
}
