package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.identity.Identity;
import java.net.InetSocketAddress;
import java.util.List;

/** How a connection that a local pod opens goes on. */
public sealed interface OutboundRoute {
  /** What the destination was found to be. */
  Endpoint destination();

  /**
   * Through HBONE.
   *
   * @param nextHop where the tunnel's TCP connection goes: a workload or its waypoint
   * @param authority of the CONNECT request
   * @param expected the next hop has to prove to be one of these; never empty
   */
  record Tunnel(
      InetSocketAddress nextHop, String authority, List<Identity> expected, Endpoint destination)
      implements OutboundRoute {
    public Tunnel {
      expected = List.copyOf(expected);
      if (expected.isEmpty()) {
        throw new IllegalArgumentException(
            "a tunnel to " + nextHop + " needs an expected identity");
      }
    }
  }

  /** By plain TCP. */
  record Plain(InetSocketAddress to, Endpoint destination) implements OutboundRoute {}

  /** Not at all: the connection is to be closed, and {@code reason} logged. */
  record Refused(String reason, Endpoint destination) implements OutboundRoute {}
}
