package dev.ambit.operator.model;

import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicyAction;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReference;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Pods behind a service whose policies only a waypoint can enforce let in, at the service's ports,
 * only what comes from its waypoint: a DENY policy for everyone else, which their ztunnels hold to.
 */
final class RequiredWaypoint {
  /** Label of a Service, a ServiceEntry or a namespace that says it, or that it is not so. */
  static final String LABEL = "ambit.dev/require-waypoint";

  private static final String NAME = "ambit_require_waypoint_";
  private static final int HASH_BYTES = 8;

  private RequiredWaypoint() {}

  /** What the labels say of it, the object's before the namespace's; empty for nothing. */
  static Optional<Boolean> asked(Map<String, String> object, Map<String, String> namespace) {
    String text = object.getOrDefault(LABEL, namespace.getOrDefault(LABEL, ""));
    return switch (text) {
      case "true" -> Optional.of(true);
      case "false" -> Optional.of(false);
      default -> Optional.empty();
    };
  }

  /** What a policy that is for waypoints to enforce is attached to; empty for all others. */
  static Set<String> attachedTo(AuthorizationPolicy policy, String rootNamespace) {
    var spec = policy.getSpec();
    return spec == null || spec.getAction() == AuthorizationPolicyAction.AUDIT || DryRun.is(policy)
        ? Set.of()
        : attachedTo(policy, spec.getTargetRef(), spec.getTargetRefs(), rootNamespace);
  }

  /** What has its tokens verified by waypoints. */
  static Set<String> attachedTo(RequestAuthentication policy, String rootNamespace) {
    var spec = policy.getSpec();
    return spec == null
        ? Set.of()
        : attachedTo(policy, spec.getTargetRef(), spec.getTargetRefs(), rootNamespace);
  }

  private static Set<String> attachedTo(
      HasMetadata policy,
      @Nullable PolicyTargetReference target,
      @Nullable List<PolicyTargetReference> more,
      String rootNamespace) {
    if (!Revision.isOurs(policy)) {
      return Set.of();
    }
    List<PolicyTargetReference> references = new ArrayList<>();
    if (target != null) {
      references.add(target);
    }
    if (more != null) {
      references.addAll(more);
    }
    String namespace = policy.getMetadata().getNamespace();
    Set<String> targets = new HashSet<>();
    for (PolicyTargetReference reference : references) {
      if (reference == null || reference.getKind() == null || reference.getName() == null) {
        continue;
      }
      switch (reference.getKind()) {
        case "Service" -> targets.add(service(namespace, reference.getName()));
        case "ServiceEntry" -> targets.add(entry(namespace, reference.getName()));
        case "Gateway" -> targets.add(gateway(namespace + "/" + reference.getName()));
        case "GatewayClass" -> {
          if (namespace.equals(rootNamespace)) {
            targets.add(gatewayClass(reference.getName()));
          }
        }
        default -> {}
      }
    }
    return Set.copyOf(targets);
  }

  static String service(String namespace, String name) {
    return "Service " + namespace + "/" + name;
  }

  static String entry(String namespace, String name) {
    return "ServiceEntry " + namespace + "/" + name;
  }

  static String gateway(String key) {
    return "Gateway " + key;
  }

  static String gatewayClass(String name) {
    return "GatewayClass " + name;
  }

  /**
   * A service that requires its waypoints.
   *
   * @param ports that it has on the workload
   * @param waypoints "namespace/name" each
   */
  record Behind(PortList ports, Set<String> waypoints) {}

  /** The policy for a workload of those services; empty where there is none. */
  static Optional<Authorization> policy(
      String namespace, String trustDomain, List<Behind> services) {
    // Services that share a port let in what comes from any of their waypoints.
    TreeMap<Integer, SortedSet<String>> byPort = new TreeMap<>();
    for (Behind service : services) {
      for (Port port : service.ports().getPortsList()) {
        byPort
            .computeIfAbsent(port.getTargetPort(), _ -> new TreeSet<>())
            .addAll(service.waypoints());
      }
    }
    if (byPort.isEmpty()) {
      return Optional.empty();
    }
    TreeMap<String, Match.Builder> byWaypoints = new TreeMap<>();
    byPort.forEach(
        (port, waypoints) ->
            byWaypoints
                .computeIfAbsent(String.join(",", waypoints), _ -> notFrom(trustDomain, waypoints))
                .addDestinationPorts(port));
    Authorization.Builder policy =
        Authorization.newBuilder()
            .setNamespace(namespace)
            .setScope(Scope.WORKLOAD_SELECTOR)
            .setAction(Action.DENY);
    byWaypoints
        .values()
        .forEach(
            match ->
                policy.addRules(
                    Rule.newBuilder().addClauses(Clause.newBuilder().addMatches(match))));
    // Named by what it says, so that workloads share it and none sees it change under its name.
    return Optional.of(policy.setName(NAME + hash(byPort + " " + trustDomain)).build());
  }

  private static Match.Builder notFrom(String trustDomain, SortedSet<String> waypoints) {
    Match.Builder match = Match.newBuilder();
    for (String waypoint : waypoints) {
      int slash = waypoint.indexOf('/');
      match.addNotPrincipals(
          StringMatch.newBuilder()
              .setExact(
                  trustDomain
                      + "/ns/"
                      + waypoint.substring(0, slash)
                      + "/sa/"
                      + waypoint.substring(slash + 1)));
    }
    return match;
  }

  private static String hash(String text) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, HASH_BYTES);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
