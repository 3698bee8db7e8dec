package dev.ambit.agent.rules;

import dev.ambit.linux.Nftables;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The table {@code inet ambit_host} of the node: connections that a process of the node itself
 * opens to a captured pod get {@link ProbeAddress} as their source, so that kubelet probes reach
 * the application past the ztunnel. Forwarded traffic, such as kube-proxy's, has no socket here and
 * does not match.
 */
public final class HostRules {
  private static final String TABLE = "ambit_host";

  private final Map<String, Set<InetAddress>> addresses = new HashMap<>();

  /**
   * While an agent that starts learns which pods are captured, the table of the one before stays.
   */
  private boolean held;

  /** Leaves the node's table alone until {@link #resume}. */
  public synchronized void hold() {
    held = true;
  }

  /** Brings the node's table to what was asked for since {@link #hold}. */
  public synchronized void resume() throws IOException {
    held = false;
    if (!addresses.isEmpty() || Nftables.listTable(TABLE).isPresent()) {
      install();
    }
  }

  /** Adds a captured pod, or replaces its addresses. */
  public synchronized void put(String uid, Collection<InetAddress> pod) throws IOException {
    var wanted = Set.copyOf(pod);
    if (!wanted.equals(addresses.get(uid))) {
      addresses.put(uid, wanted);
      install();
    }
  }

  /** Takes a pod out that is no longer captured. */
  public synchronized void remove(String uid) throws IOException {
    if (addresses.remove(uid) != null) {
      install();
    }
  }

  /**
   * Puts the table back where it is not as it should be. Without captured pods there need not be
   * one.
   *
   * @return whether it was not
   */
  public synchronized boolean repair() throws IOException {
    var listing = Nftables.listTable(TABLE);
    if (listing.isPresent() ? isAsWanted(listing.get()) : addresses.isEmpty()) {
      return false;
    }
    install();
    return true;
  }

  /** Takes the table out of the node. */
  public synchronized void uninstall() throws IOException {
    addresses.clear();
    if (Nftables.listTable(TABLE).isPresent()) {
      Nftables.run("delete table inet " + TABLE);
    }
  }

  private void install() throws IOException {
    if (held) {
      return;
    }
    Nftables.run(commands(all()));
  }

  private Set<InetAddress> all() {
    return addresses.values().stream().flatMap(Set::stream).collect(Collectors.toUnmodifiableSet());
  }

  private boolean isAsWanted(String listing) throws IOException {
    if (!listing.contains(" snat ip to " + ProbeAddress.IPV4)
        || !listing.contains(" snat ip6 to " + ProbeAddress.IPV6)) {
      return false;
    }
    return elements(listing).equals(Optional.of(all()));
  }

  /** The elements of all sets of a listing; empty where one is not an address. */
  static Optional<Set<InetAddress>> elements(String listing) throws IOException {
    var found = new LinkedHashSet<InetAddress>();
    for (int at = listing.indexOf("elements = {"); at >= 0; ) {
      int end = listing.indexOf('}', at);
      if (end < 0) {
        return Optional.empty();
      }
      for (var element : listing.substring(at + "elements = {".length(), end).split(",")) {
        // Literals only: a name would be resolved.
        if (!element.strip().matches("[0-9a-fA-F:.]+")) {
          return Optional.empty();
        }
        found.add(InetAddress.getByName(element.strip()));
      }
      at = listing.indexOf("elements = {", end);
    }
    return Optional.of(found);
  }

  /** The commands that bring the table to these pods from any state, as one transaction. */
  static String commands(Collection<InetAddress> pods) {
    var commands =
        new StringBuilder(
            """
            add table inet %1$s
            flush table inet %1$s
            table inet %1$s {
              set pods4 { type ipv4_addr; }
              set pods6 { type ipv6_addr; }
              chain probes {
                type nat hook postrouting priority srcnat - 5; policy accept;
                ip daddr @pods4 meta l4proto tcp meta skuid != 4294967295 snat ip to %2$s
                ip6 daddr @pods6 meta l4proto tcp meta skuid != 4294967295 snat ip6 to %3$s
              }
            }
            flush set inet %1$s pods4
            flush set inet %1$s pods6
            """
                .formatted(TABLE, ProbeAddress.IPV4, ProbeAddress.IPV6));
    for (int version : new int[] {4, 6}) {
      var ofVersion = new TreeSet<String>();
      for (var pod : pods) {
        if ((pod instanceof Inet6Address) == (version == 6)) {
          ofVersion.add(pod.getHostAddress());
        }
      }
      if (!ofVersion.isEmpty()) {
        commands
            .append("add element inet ")
            .append(TABLE)
            .append(" pods")
            .append(version)
            .append(" { ")
            .append(String.join(", ", ofVersion))
            .append(" }\n");
      }
    }
    return commands.toString();
  }
}
