package dev.ambit.k3s;

/** A firewall rule that holds on a node, for IPv4 and IPv6, until it is closed. */
public final class NetworkRule implements AutoCloseable {

  private final ClusterNode node;
  private final String rule;

  /**
   * @param rule in iptables' words, beginning with its chain; it comes before the rules that are
   *     there
   */
  NetworkRule(ClusterNode node, String rule) {
    this.node = node;
    this.rule = rule;
    apply("-I");
  }

  private void apply(String verb) {
    node.inNetwork(
            "sh", "-c", "iptables %s %s && ip6tables %s %s".formatted(verb, rule, verb, rule))
        .orThrow();
  }

  @Override
  public void close() {
    apply("-D");
  }
}
