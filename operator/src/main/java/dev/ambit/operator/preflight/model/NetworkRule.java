package dev.ambit.operator.preflight.model;

import dev.ambit.operator.model.NamespaceSelection;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyEgressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** One rule of a NetworkPolicy, in either direction. */
record NetworkRule(
    NetworkPolicy policy,
    String path,
    List<NetworkPolicyPeer> peers,
    List<NetworkPolicyPort> ports) {
  static final int HBONE = 15008;
  private static final int DNS = 53;

  /** The policies that select a pod. */
  static List<NetworkPolicy> selecting(List<NetworkPolicy> policies, Pod pod) {
    return policies.stream()
        .filter(policy -> policy.getSpec() != null && selects(policy, pod))
        .toList();
  }

  private static boolean selects(NetworkPolicy policy, Pod pod) {
    var selector = policy.getSpec().getPodSelector();
    return selector == null || NamespaceSelection.matches(selector, Preflight.labels(pod));
  }

  static List<NetworkRule> ingress(List<NetworkPolicy> policies) {
    List<NetworkRule> rules = new ArrayList<>();
    for (NetworkPolicy policy : policies) {
      List<NetworkPolicyIngressRule> written =
          Objects.requireNonNullElse(policy.getSpec().getIngress(), List.of());
      for (int i = 0; i < written.size(); i++) {
        rules.add(
            new NetworkRule(
                policy,
                "spec.ingress[" + i + "]",
                Objects.requireNonNullElse(written.get(i).getFrom(), List.of()),
                Objects.requireNonNullElse(written.get(i).getPorts(), List.of())));
      }
    }
    return rules;
  }

  static List<NetworkRule> egress(List<NetworkPolicy> policies) {
    List<NetworkRule> rules = new ArrayList<>();
    for (NetworkPolicy policy : policies) {
      List<NetworkPolicyEgressRule> written =
          Objects.requireNonNullElse(policy.getSpec().getEgress(), List.of());
      for (int i = 0; i < written.size(); i++) {
        rules.add(
            new NetworkRule(
                policy,
                "spec.egress[" + i + "]",
                Objects.requireNonNullElse(written.get(i).getTo(), List.of()),
                Objects.requireNonNullElse(written.get(i).getPorts(), List.of())));
      }
    }
    return rules;
  }

  /** As Kubernetes has it: Ingress unless the types say otherwise. */
  static boolean isolatesIngress(NetworkPolicy policy) {
    List<String> types = policy.getSpec().getPolicyTypes();
    return types == null || types.isEmpty() || types.contains("Ingress");
  }

  /** As Kubernetes has it: Egress where the types say so, or without types where rules do. */
  static boolean isolatesEgress(NetworkPolicy policy) {
    List<String> types = policy.getSpec().getPolicyTypes();
    return types == null || types.isEmpty()
        ? policy.getSpec().getEgress() != null && !policy.getSpec().getEgress().isEmpty()
        : types.contains("Egress");
  }

  boolean admitsAnybody() {
    return peers.isEmpty();
  }

  boolean coversHbone() {
    return covers(HBONE);
  }

  boolean covers(int tcpPort) {
    return ports.isEmpty()
        || ports.stream().anyMatch(port -> isTcp(port) && inRange(port, tcpPort));
  }

  boolean coversDns() {
    return ports.isEmpty()
        || ports.stream().anyMatch(port -> "UDP".equals(port.getProtocol()) && inRange(port, DNS));
  }

  boolean namesAddresses() {
    return peers.stream().anyMatch(peer -> peer.getIpBlock() != null);
  }

  boolean onlyAddresses() {
    return !peers.isEmpty() && peers.stream().allMatch(peer -> peer.getIpBlock() != null);
  }

  /** Whether a block of addresses that the rule names has one of these in it. */
  boolean namesAddressOf(Collection<String> addresses) {
    return peers.stream()
        .filter(peer -> peer.getIpBlock() != null)
        .anyMatch(
            peer ->
                addresses.stream()
                    .anyMatch(
                        address ->
                            AddressBlock.contains(peer.getIpBlock().getCidr(), address)
                                && Objects.requireNonNullElse(
                                        peer.getIpBlock().getExcept(), List.<String>of())
                                    .stream()
                                    .noneMatch(except -> AddressBlock.contains(except, address))));
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

  /** Whether a selector of the rule is for such pods of the policy's own namespace. */
  boolean selectsPods(Map<String, String> labels, Map<String, String> namespaceLabels) {
    return peers.stream()
        .filter(peer -> peer.getPodSelector() != null || peer.getNamespaceSelector() != null)
        .anyMatch(
            peer ->
                (peer.getPodSelector() == null
                        || NamespaceSelection.matches(peer.getPodSelector(), labels))
                    && (peer.getNamespaceSelector() == null
                        || NamespaceSelection.matches(
                            peer.getNamespaceSelector(), namespaceLabels)));
  }

  boolean admitsOperator(String rootNamespace) {
    return admitsAnybody() || peers.stream().anyMatch(peer -> isOperator(peer, rootNamespace));
  }

  /** Whether nobody but the operator is meant. */
  boolean onlyOperator(String rootNamespace) {
    return !peers.isEmpty() && peers.stream().allMatch(peer -> isOperator(peer, rootNamespace));
  }

  private static boolean isOperator(NetworkPolicyPeer peer, String rootNamespace) {
    return peer.getNamespaceSelector() != null
        && (peer.getPodSelector() == null
            || NamespaceSelection.matches(
                peer.getPodSelector(), Map.of("app.kubernetes.io/name", "ambit-operator")))
        && NamespaceSelection.matches(
            peer.getNamespaceSelector(), Map.of("kubernetes.io/metadata.name", rootNamespace));
  }

  private static boolean isTcp(NetworkPolicyPort port) {
    return port.getProtocol() == null || "TCP".equals(port.getProtocol());
  }

  /** A port's name never stands for the mesh's own, which no container declares. */
  private static boolean inRange(NetworkPolicyPort port, int number) {
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
}
