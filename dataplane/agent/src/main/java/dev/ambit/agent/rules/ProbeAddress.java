package dev.ambit.agent.rules;

/**
 * The addresses from which a captured pod sees its node's own connections, kubelet probes above
 * all: as in Istio, so that rules inside the pod can tell them from other traffic.
 */
final class ProbeAddress {
  static final String IPV4 = "169.254.7.127";
  static final String IPV6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff";

  private ProbeAddress() {}
}
