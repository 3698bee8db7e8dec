package dev.ambit.operator.preflight.model;

import static dev.ambit.operator.preflight.model.NetworkRule.egress;
import static dev.ambit.operator.preflight.model.NetworkRule.ingress;

import dev.ambit.api.Finding;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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

  /** Where the operator serves waypoints their configuration and certificates. */
  private static final int CONTROL_PLANE = 15012;

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
    if (facts.stage() == Stage.L7) {
      policies.waypoint();
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

  // --- Waypoints, which at stage L7 come between clients and pods

  private void waypoint() {
    Pod waypoint = facts.waypoint();
    Map<String, String> labels = Preflight.labels(waypoint);
    List<Pod> behind = facts.behindWaypoint();
    for (Pod pod : behind) {
      fromWaypoint(pod, labels);
    }
    for (Pod pod : facts.capturable()) {
      toWaypoint(pod, labels, behind);
    }
    List<NetworkPolicy> selecting = NetworkRule.selecting(facts.networkPolicies(), waypoint);
    hbone(waypoint, ingress(selecting), "from");
    hbone(waypoint, egress(selecting), "to");
    proof(waypoint, selecting);
    clientsOf(waypoint, selecting);
    destinationsOf(waypoint, selecting, behind);
  }

  private void blocked(NetworkPolicy policy, String text, Pod pod) {
    add(Severity.ERROR, PreflightReasons.WAYPOINT_BLOCKED, policy, text, pod);
  }

  private String selector() {
    return "podSelector gateway.networking.k8s.io/gateway-name: "
        + facts.target().waypoint().name();
  }

  /** What clients may reach today comes from the waypoint's pods. */
  private void fromWaypoint(Pod pod, Map<String, String> waypoint) {
    List<NetworkRule> rules = ingress(NetworkRule.selecting(facts.networkPolicies(), pod));
    rules.stream()
        .filter(rule -> !rule.onlyOutsideMesh() && !rule.onlyAddresses())
        .filter(rule -> !rule.onlyOperator(facts.rootNamespace()))
        .findFirst()
        .filter(client -> rules.stream().noneMatch(rule -> admits(rule, waypoint)))
        .ifPresent(
            client ->
                blocked(
                    client.policy(),
                    "At stage L7 what goes to services comes from the waypoint's pods, to port"
                        + " 15008, which no rule admits to %s. Admit TCP 15008 from "
                        + selector()
                        + ".",
                    pod));
  }

  /** What pods may send to such pods goes to the waypoint's. */
  private void toWaypoint(Pod pod, Map<String, String> waypoint, List<Pod> behind) {
    List<NetworkRule> rules = egress(NetworkRule.selecting(facts.networkPolicies(), pod));
    rules.stream()
        .filter(NetworkRule::coversHbone)
        .filter(
            rule ->
                behind.stream()
                    .anyMatch(
                        each -> rule.selectsPods(Preflight.labels(each), facts.namespaceLabels())))
        .findFirst()
        .filter(destination -> rules.stream().noneMatch(rule -> admits(rule, waypoint)))
        .ifPresent(
            destination ->
                blocked(
                    destination.policy(),
                    "At stage L7 what goes to services goes to the waypoint's pods, at port 15008,"
                        + " which no rule lets %s send to. Admit TCP 15008 to "
                        + selector()
                        + ".",
                    pod));
  }

  /** Blocks with the namespace's pods in them will have the waypoint's too. */
  private boolean admits(NetworkRule rule, Map<String, String> waypoint) {
    return rule.coversHbone()
        && (rule.admitsAnybody()
            || rule.selectsPods(waypoint, facts.namespaceLabels())
            || rule.namesAddressOf(tunnelled));
  }

  private void clientsOf(Pod waypoint, List<NetworkPolicy> selecting) {
    selecting.stream()
        .filter(NetworkRule::isolatesIngress)
        .findFirst()
        .filter(
            isolating ->
                ingress(selecting).stream()
                    .allMatch(rule -> rule.onlyOperator(facts.rootNamespace())))
        .ifPresent(
            isolating ->
                blocked(
                    isolating,
                    "It selects %s too, and no rule lets clients reach them. Admit TCP 15008 to "
                        + selector()
                        + " from all that may connect to the namespace's services.",
                    waypoint));
  }

  private void destinationsOf(Pod waypoint, List<NetworkPolicy> selecting, List<Pod> behind) {
    Optional<NetworkPolicy> isolating =
        selecting.stream().filter(NetworkRule::isolatesEgress).findFirst();
    if (isolating.isEmpty()) {
      return;
    }
    List<NetworkRule> rules = egress(selecting);
    List<String> missing = new ArrayList<>();
    if (rules.stream()
        .noneMatch(
            rule ->
                rule.covers(CONTROL_PLANE)
                    && (rule.admitsOperator(facts.rootNamespace()) || rule.namesAddresses()))) {
      missing.add("TCP 15012 to the namespace " + facts.rootNamespace());
    }
    if (!behind.isEmpty()
        && rules.stream()
            .noneMatch(
                rule ->
                    rule.coversHbone()
                        && (rule.admitsAnybody()
                            || rule.namesAddresses()
                            || behind.stream()
                                .anyMatch(
                                    pod ->
                                        rule.selectsPods(
                                            Preflight.labels(pod), facts.namespaceLabels()))))) {
      missing.add("TCP 15008 to the namespace's pods");
    }
    if (rules.stream().noneMatch(NetworkRule::coversDns)) {
      missing.add("UDP 53 for DNS");
    }
    if (!missing.isEmpty()) {
      blocked(
          isolating.get(),
          "It selects %s too, and no rule lets them send all that they have to. Admit "
              + String.join(", ", missing)
              + ".",
          waypoint);
    }
  }
}
