package dev.ambit.operator.preflight.model;

import dev.ambit.api.Finding;
import dev.ambit.api.Severity;
import dev.ambit.operator.model.NamespaceSelection;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * NetworkPolicies that were written for traffic as it is outside the mesh. In the mesh what comes
 * for any port arrives at port 15008, from the same pod as before, and the kubelet's probes come
 * from an address of their own.
 */
final class NetworkPolicies {
  static final int HBONE = 15008;
  static final String PROBE_ADDRESS = "169.254.7.127";
  private static final int DNS = 53;

  private NetworkPolicies() {}

  /** One rule of a policy, in either direction. */
  private record Rule(
      NetworkPolicy policy,
      String path,
      List<NetworkPolicyPeer> peers,
      List<NetworkPolicyPort> ports) {

    boolean admitsAnybody() {
      return peers.isEmpty();
    }

    boolean coversHbone() {
      return ports.isEmpty() || ports.stream().anyMatch(port -> covers(port, HBONE));
    }

    /** Addresses are not of pods, whose peers are selected; they do not speak HBONE. */
    boolean onlyAddresses() {
      return !peers.isEmpty() && peers.stream().allMatch(peer -> peer.getIpBlock() != null);
    }

    boolean onlyOutsideMesh() {
      return !ports.isEmpty()
          && ports.stream()
              .allMatch(
                  port ->
                      !isTcp(port)
                          || (port.getPort() != null
                              && Objects.equals(port.getPort().getIntVal(), DNS)));
    }
  }

  static List<Finding> findings(PreflightFacts facts) {
    Map<String, Found> found = new LinkedHashMap<>();
    for (Pod pod : facts.capturable()) {
      List<NetworkPolicy> selecting =
          facts.networkPolicies().stream()
              .filter(policy -> policy.getSpec() != null && selects(policy, pod))
              .toList();
      hbone(pod, ingress(selecting), "from", found);
      hbone(pod, egress(selecting), "to", found);
      proof(pod, selecting, facts.rootNamespace(), found);
      probes(pod, selecting, found);
    }
    return found.values().stream().map(Found::finding).toList();
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

  private static void add(
      Map<String, Found> found,
      Severity severity,
      String reason,
      NetworkPolicy policy,
      String text,
      Pod pod) {
    found
        .computeIfAbsent(
            policy.getMetadata().getName() + " " + text,
            any -> new Found(severity, reason, policy, text, new ArrayList<>()))
        .pods()
        .add(pod);
  }

  private static boolean selects(NetworkPolicy policy, Pod pod) {
    var selector = policy.getSpec().getPodSelector();
    return selector == null || NamespaceSelection.matches(selector, Preflight.labels(pod));
  }

  private static List<Rule> ingress(List<NetworkPolicy> policies) {
    List<Rule> rules = new ArrayList<>();
    for (NetworkPolicy policy : policies) {
      var written =
          Objects.requireNonNullElse(
              policy.getSpec().getIngress(),
              List.<io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule>of());
      for (int i = 0; i < written.size(); i++) {
        rules.add(
            new Rule(
                policy,
                "spec.ingress[" + i + "]",
                Objects.requireNonNullElse(written.get(i).getFrom(), List.of()),
                Objects.requireNonNullElse(written.get(i).getPorts(), List.of())));
      }
    }
    return rules;
  }

  private static List<Rule> egress(List<NetworkPolicy> policies) {
    List<Rule> rules = new ArrayList<>();
    for (NetworkPolicy policy : policies) {
      var written =
          Objects.requireNonNullElse(
              policy.getSpec().getEgress(),
              List.<io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyEgressRule>of());
      for (int i = 0; i < written.size(); i++) {
        rules.add(
            new Rule(
                policy,
                "spec.egress[" + i + "]",
                Objects.requireNonNullElse(written.get(i).getTo(), List.of()),
                Objects.requireNonNullElse(written.get(i).getPorts(), List.of())));
      }
    }
    return rules;
  }

  /** Whoever may reach some port today must be able to reach the tunnel's. */
  private static void hbone(Pod pod, List<Rule> rules, String side, Map<String, Found> found) {
    for (Rule rule : rules) {
      boolean reachable =
          rules.stream()
              .filter(Rule::coversHbone)
              .anyMatch(other -> other.admitsAnybody() || other.peers().equals(rule.peers()));
      if (reachable || rule.onlyAddresses() || rule.onlyOutsideMesh()) {
        continue;
      }
      add(
          found,
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
  private static void proof(
      Pod pod, List<NetworkPolicy> selecting, String rootNamespace, Map<String, Found> found) {
    List<NetworkPolicy> isolating =
        selecting.stream().filter(NetworkPolicies::isolatesIngress).toList();
    boolean admitted =
        ingress(selecting).stream()
            .filter(Rule::coversHbone)
            .anyMatch(
                rule ->
                    rule.admitsAnybody()
                        || rule.peers().stream().anyMatch(peer -> isOperator(peer, rootNamespace)));
    if (!isolating.isEmpty() && !admitted) {
      add(
          found,
          Severity.ERROR,
          PreflightReasons.PROOF_BLOCKED,
          isolating.getFirst(),
          "The operator proves that a pod is in the mesh by a handshake with its port 15008, which no"
              + " rule admits to %s. Admit TCP 15008 from the namespace "
              + rootNamespace
              + " (namespaceSelector kubernetes.io/metadata.name).",
          pod);
    }
  }

  private static boolean isOperator(NetworkPolicyPeer peer, String rootNamespace) {
    return peer.getNamespaceSelector() != null
        && (peer.getPodSelector() == null
            || NamespaceSelection.matches(
                peer.getPodSelector(), Map.of("app.kubernetes.io/name", "ambit-operator")))
        && NamespaceSelection.matches(
            peer.getNamespaceSelector(), Map.of("kubernetes.io/metadata.name", rootNamespace));
  }

  private static void probes(Pod pod, List<NetworkPolicy> selecting, Map<String, Found> found) {
    List<NetworkPolicy> isolating =
        selecting.stream().filter(NetworkPolicies::isolatesIngress).toList();
    if (isolating.isEmpty() || !hasProbes(pod)) {
      return;
    }
    boolean admitted =
        ingress(selecting).stream()
            .anyMatch(
                rule ->
                    rule.admitsAnybody()
                        || rule.peers().stream()
                            .anyMatch(
                                peer ->
                                    peer.getIpBlock() != null
                                        && contains(peer.getIpBlock().getCidr())));
    if (!admitted) {
      add(
          found,
          Severity.ERROR,
          PreflightReasons.PROBES_BLOCKED,
          isolating.getFirst(),
          "The kubelet's probes reach captured pods from "
              + PROBE_ADDRESS
              + ", which no rule admits to %s: where the network plugin enforces policies on them,"
              + " the probes fail and the pods are restarted. Admit ipBlock "
              + PROBE_ADDRESS
              + "/32.",
          pod);
    }
  }

  /** As Kubernetes has it: Ingress unless the types say otherwise. */
  private static boolean isolatesIngress(NetworkPolicy policy) {
    List<String> types = policy.getSpec().getPolicyTypes();
    return types == null || types.isEmpty() || types.contains("Ingress");
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

  private static boolean isTcp(NetworkPolicyPort port) {
    return port.getProtocol() == null || "TCP".equals(port.getProtocol());
  }

  /** A port's name never stands for the tunnel's, which no container declares. */
  private static boolean covers(NetworkPolicyPort port, int number) {
    if (!isTcp(port)) {
      return false;
    }
    IntOrString written = port.getPort();
    if (written == null) {
      return true;
    }
    Integer first = written.getIntVal();
    if (first == null) {
      return false;
    }
    int last = port.getEndPort() == null ? first : port.getEndPort();
    return first <= number && number <= last;
  }

  /** Whether a block of addresses has that of probes in it; a malformed one has not. */
  private static boolean contains(@Nullable String cidr) {
    int slash = cidr == null ? -1 : cidr.indexOf('/');
    if (cidr == null || slash < 0) {
      return false;
    }
    try {
      byte[] block = InetAddress.ofLiteral(cidr.substring(0, slash)).getAddress();
      byte[] probe = InetAddress.ofLiteral(PROBE_ADDRESS).getAddress();
      int bits = Integer.parseInt(cidr.substring(slash + 1));
      if (block.length != probe.length || bits < 0 || bits > 32) {
        return false;
      }
      for (int i = 0; i < bits; i++) {
        int mask = 0x80 >> (i % 8);
        if ((block[i / 8] & mask) != (probe[i / 8] & mask)) {
          return false;
        }
      }
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
