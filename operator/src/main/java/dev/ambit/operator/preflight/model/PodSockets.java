package dev.ambit.operator.preflight.model;

import java.util.Set;

/**
 * What a pod's sockets are, as its node's kernel has it.
 *
 * @param tcp ports that it listens on
 * @param udp ports of its UDP sockets, but for those that clients get
 * @param connections how many TCP connections are open
 */
public record PodSockets(Set<Integer> tcp, Set<Integer> udp, long connections) {
  public static final PodSockets NONE = new PodSockets(Set.of(), Set.of(), 0);

  public PodSockets {
    tcp = Set.copyOf(tcp);
    udp = Set.copyOf(udp);
  }
}
