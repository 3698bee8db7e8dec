package dev.ambit.operator.preflight.model;

import static dev.ambit.operator.preflight.model.NetworkRule.egress;
import static dev.ambit.operator.preflight.model.NetworkRule.ingress;

import dev.ambit.api.Finding;
import dev.ambit.api.Severity;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * NetworkPolicies that were written for traffic as it is outside the mesh. In the mesh what comes
 * for any port arrives at port 15008, from the same pod as before, and the kubelet's probes come
 * from an address of their own. What a waypoint is for comes from its pods.
 */
final class NetworkPolicies {
  static final String PROBE_ADDRESS = "169.254.7.127";
  static final String PROBE_ADDRESS_6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff";

  private final PreflightFacts facts;

  /** Of the pods that are to be in the mesh: what comes from there comes through tunnels. */
  private final Set<String> tunnelled;

  private final Map<String, Found> found = new LinkedHashMap<>();

  private NetworkPolicies(PreflightFacts facts) {
    this.facts = facts;
    this.tunnelled = facts.addresses();
  }

  static List<Finding> findings(PreflightFacts facts) {
    NetworkPolicies policies = new NetworkPolicies(facts);
    for (Pod pod : facts.capturable()) {
      List<NetworkPolicy> selecting = NetworkRule.selecting(facts.networkPolicies(), pod);
      policies.hbone(pod, ingress(selecting), "from");
      policies.hbone(pod, egress(selecting), "to");
      policies.proof(pod, selecting);
      policies.probes(pod, selecting);
    }
    return policies.found.values().stream().map(Found::finding).toList();
  }

  /** One finding of a policy, and the pods that it is about. */
  private record Found(
      Severity severity, String reason, NetworkPolicy policy, String text, List<Pod> pods) {
    Finding finding() {
      return Preflight.finding(
          severity,
          reason,
          policy,
          text.formatted(Preflight.names(pods.stream().distinct().toList())));
    }
  }

  private void add(Severity severity, String reason, NetworkPolicy policy, String text, Pod pod) {
    found
        .computeIfAbsent(
            policy.getMetadata().getName() + " " + text,
            any -> new Found(severity, reason, policy, text, new ArrayList<>()))
        .pods()
        .add(pod);
  }

  /** Whoever may reach some port today must be able to reach the tunnel's. */
  private void hbone(Pod pod, List<NetworkRule> rules, String side) {
    for (NetworkRule rule : rules) {
      boolean reachable =
          rules.stream()
              .filter(NetworkRule::coversHbone)
              .anyMatch(other -> other.admitsAnybody() || other.peers().equals(rule.peers()));
      if (reachable || rule.onlyOutsideMesh()) {
        continue;
      }
      if (rule.onlyAddresses()) {
        // They are hardly ever of pods, which are selected, and others speak no HBONE.
        if (rule.namesAddressOf(tunnelled)) {
          add(
              Severity.WARNING,
              PreflightReasons.HBONE_BLOCKED,
              rule.policy(),
              rule.path()
                  + " names ports, and TCP 15008 is not one of them, and blocks of addresses that"
                  + " have those of pods in them. In the mesh connections "
                  + side
                  + " such pods are at port 15008, and would be dropped. Pods: %s. Add port 15008 to"
                  + " the rule, unless it is for what is outside the mesh alone.",
              pod);
        }
        continue;
      }
      add(
          Severity.ERROR,
          PreflightReasons.HBONE_BLOCKED,
          rule.policy(),
          rule.path()
              + " names ports, and TCP 15008 is not one of them: in the mesh all connections "
              + side
              + " these peers are at port 15008, and would be dropped. Pods: %s. Add port 15008 to the"
              + " rule; the mesh's own policies can then say what may pass to which port.",
          pod);
    }
  }

  /** The operator's own handshakes come from its namespace. */
  private void proof(Pod pod, List<NetworkPolicy> selecting) {
    List<NetworkPolicy> isolating =
        selecting.stream().filter(NetworkRule::isolatesIngress).toList();
    boolean admitted =
        ingress(selecting).stream()
            .filter(NetworkRule::coversHbone)
            .anyMatch(rule -> rule.admitsOperator(facts.rootNamespace()));
    if (!isolating.isEmpty() && !admitted) {
      add(
          Severity.ERROR,
          PreflightReasons.PROOF_BLOCKED,
          isolating.getFirst(),
          "The operator proves that a pod is in the mesh by a handshake with its port 15008, which no"
              + " rule admits to %s. Admit TCP 15008 from the namespace "
              + facts.rootNamespace()
              + " (namespaceSelector kubernetes.io/metadata.name).",
          pod);
    }
  }

  private void probes(Pod pod, List<NetworkPolicy> selecting) {
    List<NetworkPolicy> isolating =
        selecting.stream().filter(NetworkRule::isolatesIngress).toList();
    if (isolating.isEmpty() || !hasProbes(pod)) {
      return;
    }
    String address = probeAddress(pod);
    boolean admitted =
        ingress(selecting).stream()
            .anyMatch(rule -> rule.admitsAnybody() || rule.namesAddressOf(Set.of(address)));
    if (!admitted) {
      add(
          Severity.ERROR,
          PreflightReasons.PROBES_BLOCKED,
          isolating.getFirst(),
          "The kubelet's probes reach captured pods from "
              + address
              + ", which no rule admits to %s: where the network plugin enforces policies on them,"
              + " the probes fail and the pods are restarted. Admit ipBlock "
              + address
              + (address.equals(PROBE_ADDRESS) ? "/32." : "/128."),
          pod);
    }
  }

  /** The kubelet probes the first of a pod's addresses. */
  private static String probeAddress(Pod pod) {
    String first = pod.getStatus() == null ? null : pod.getStatus().getPodIP();
    return first != null && first.contains(":") ? PROBE_ADDRESS_6 : PROBE_ADDRESS;
  }

  /** Probes that open a connection. */
  private static boolean hasProbes(Pod pod) {
    if (pod.getSpec() == null || pod.getSpec().getContainers() == null) {
      return false;
    }
    return pod.getSpec().getContainers().stream()
        .flatMap(NetworkPolicies::probes)
        .anyMatch(
            probe ->
                probe.getHttpGet() != null
                    || probe.getTcpSocket() != null
                    || probe.getGrpc() != null);
  }

  private static Stream<Probe> probes(Container container) {
    return Stream.of(
            container.getReadinessProbe(),
            container.getLivenessProbe(),
            container.getStartupProbe())
        .filter(Objects::nonNull);
  }
}
