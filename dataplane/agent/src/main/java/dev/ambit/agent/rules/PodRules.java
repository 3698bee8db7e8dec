package dev.ambit.agent.rules;

import dev.ambit.linux.LocalAddresses;
import dev.ambit.linux.MarkedLocalRoute;
import dev.ambit.linux.Nftables;
import dev.ambit.linux.TcpSocket;
import dev.ambit.linux.UdpSocket;
import java.io.IOException;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Puts redirection into the network namespace that the calling thread is in, reads back what is
 * there, and takes it out. Safe for many threads.
 */
public final class PodRules {
  private static final MarkedLocalRoute REPLIES = new MarkedLocalRoute(0x111, 0xfff, 32764, 100);

  /** What a ztunnel that carries UDP puts in beside, and of which it leaves a rule when it goes. */
  private static final String DATAGRAM_TABLE = "ambit_udp";

  private static final MarkedLocalRoute DATAGRAMS = new MarkedLocalRoute(0x222, 0xfff, 32763, 101);

  private static final Set<Integer> PORTS =
      Set.of(PodRuleset.OUTBOUND_PORT, PodRuleset.INBOUND_PORT, PodRuleset.HBONE_PORT);

  /**
   * How nft lists each ruleset on this node. Learnt from the first time it was put in, since the
   * spelling depends on libnftables' version.
   */
  private final Map<PodRuleset, String> listings = new EnumMap<>(PodRuleset.class);

  /** What of a pod's redirection may be found missing. */
  public enum Missing {
    RULES,
    ROUTE
  }

  /** Brings the namespace to {@code ruleset}, from any state. */
  public void install(PodRuleset ruleset) throws IOException {
    REPLIES.ensure();
    Nftables.run(ruleset.commands());
    if (expected(ruleset).isEmpty()) {
      learn(ruleset, Nftables.listTable(PodRuleset.TABLE).orElseThrow());
    }
  }

  /** Puts back what is no longer as {@link #install} left it, and says what that was. */
  public Set<Missing> repair(PodRuleset ruleset) throws IOException {
    var missing = EnumSet.noneOf(Missing.class);
    if (REPLIES.ensure()) {
      missing.add(Missing.ROUTE);
    }
    var expected = expected(ruleset);
    if (expected.isEmpty()) {
      // An earlier agent's, which may have been of another version.
      install(ruleset);
    } else if (!expected.equals(Nftables.listTable(PodRuleset.TABLE))) {
      install(ruleset);
      missing.add(Missing.RULES);
    }
    return missing;
  }

  /** Takes everything out. */
  public void remove() throws IOException {
    if (present()) {
      Nftables.run("delete table inet " + PodRuleset.TABLE);
    }
    REPLIES.remove();
    DATAGRAMS.remove();
    Nftables.run("add table inet %1$s\ndelete table inet %1$s".formatted(DATAGRAM_TABLE));
  }

  /** Whether rules of Ambit are in the namespace. */
  public boolean present() throws IOException {
    return Nftables.listTable(PodRuleset.TABLE).isPresent();
  }

  /** Whether a ztunnel listens on all ports that traffic is redirected to. */
  public boolean listening() throws IOException {
    return listeners() == PORTS.size();
  }

  /** On how many of these ports something listens. */
  public long listeners() throws IOException {
    return TcpSocket.read().stream()
        .filter(socket -> socket.state() == TcpSocket.State.LISTEN)
        .map(socket -> socket.local().getPort())
        .filter(PORTS::contains)
        .distinct()
        .count();
  }

  /** Whether a ztunnel answers DNS, over UDP and over TCP. */
  public boolean answersDns() throws IOException {
    return UdpSocket.read().stream()
            .anyMatch(socket -> socket.local().getPort() == PodRuleset.DNS_PORT)
        && TcpSocket.read().stream()
            .filter(socket -> socket.state() == TcpSocket.State.LISTEN)
            .anyMatch(socket -> socket.local().getPort() == PodRuleset.DNS_PORT);
  }

  /**
   * How many connections still need the rules: those that were redirected to the ztunnel, and those
   * that it opened to the application under a client's address. Tunnels need none; where a peer has
   * vanished the kernel keeps what is left of one for minutes.
   */
  public long connections() throws IOException {
    var own = LocalAddresses.read();
    return TcpSocket.read().stream()
        .filter(socket -> socket.state() != TcpSocket.State.TIME_WAIT)
        .filter(socket -> socket.state() != TcpSocket.State.LISTEN)
        .filter(
            socket ->
                socket.local().getPort() == PodRuleset.OUTBOUND_PORT
                    || socket.local().getPort() == PodRuleset.DNS_PORT
                    || socket.local().getPort() == PodRuleset.INBOUND_PORT
                    || !(socket.local().getAddress().isAnyLocalAddress()
                        || socket.local().getAddress().isLoopbackAddress()
                        || own.contains(socket.local().getAddress())))
        .count();
  }

  private synchronized Optional<String> expected(PodRuleset ruleset) {
    return Optional.ofNullable(listings.get(ruleset));
  }

  private synchronized void learn(PodRuleset ruleset, String listing) {
    listings.putIfAbsent(ruleset, listing);
  }
}
