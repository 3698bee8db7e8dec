package dev.ambit.ztunnel.state;

import dev.ambit.ztunnel.identity.Identity;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** How a connection that a local pod opens goes on. */
public sealed interface OutboundRoute {
  /** What the destination was found to be. */
  Endpoint destination();

  /**
   * The uid of the workload that was chosen among a service's, or a waypoint's: where it cannot be
   * reached, another may be. Empty where there was no choice.
   */
  String chosen();

  /**
   * Through HBONE.
   *
   * @param nextHop where the tunnel's TCP connection goes: a workload or its waypoint
   * @param authority of the CONNECT request
   * @param expected the next hop has to prove to be one of these; never empty
   * @param waypoint whether it leads to a waypoint, for something that this is to serve: it may
   *     hear of that a little later than this node did
   */
  record Tunnel(
      InetSocketAddress nextHop,
      String authority,
      List<Identity> expected,
      Endpoint destination,
      String chosen,
      boolean waypoint)
      implements OutboundRoute {
    public Tunnel {
      expected = List.copyOf(expected);
      if (expected.isEmpty()) {
        throw new IllegalArgumentException(
            "a tunnel to " + nextHop + " needs an expected identity");
      }
    }

    /** To a workload itself. */
    public Tunnel(
        InetSocketAddress nextHop,
        String authority,
        List<Identity> expected,
        Endpoint destination,
        String chosen) {
      this(nextHop, authority, expected, destination, chosen, false);
    }

    /** To the only one that it may go to. */
    public Tunnel(
        InetSocketAddress nextHop,
        String authority,
        List<Identity> expected,
        Endpoint destination) {
      this(nextHop, authority, expected, destination, "");
    }
  }

  /** By plain TCP. */
  record Plain(InetSocketAddress to, Endpoint destination, String chosen) implements OutboundRoute {
    /** To the only one that it may go to. */
    public Plain(InetSocketAddress to, Endpoint destination) {
      this(to, destination, "");
    }
  }

  /** Not at all: the connection is to be closed, and {@code reason} logged. */
  record Refused(String reason, Endpoint destination, String chosen) implements OutboundRoute {
    /** Whatever might be tried. */
    public Refused(String reason, Endpoint destination) {
      this(reason, destination, "");
    }
  }

  /**
   * Not known yet: the control plane or a name server was asked.
   *
   * @param route completes on any thread, never exceptionally, and never with another of this kind
   */
  record Awaited(CompletionStage<OutboundRoute> route, Endpoint destination)
      implements OutboundRoute {
    @Override
    public String chosen() {
      return "";
    }
  }
}
