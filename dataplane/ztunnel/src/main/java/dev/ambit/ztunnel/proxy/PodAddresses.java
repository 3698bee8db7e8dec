package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.state.MeshWorkload;
import io.netty.channel.ChannelException;
import java.net.InetAddress;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Sees that a network namespace is that of the pod which it was handed over for. A pod in another's
 * namespace would lend that one its identity.
 */
final class PodAddresses {
  private final PodSockets sockets;

  /** The version that was found right last; most connections see the same one. */
  private volatile @Nullable MeshWorkload right;

  PodAddresses(PodSockets sockets) {
    this.sockets = sockets;
  }

  /**
   * Why the pod that the control plane calls {@code workload} cannot be the one in the namespace;
   * null where it can. One address in common will do, since no two pods share any; a workload that
   * has none, or its node's, tells nothing.
   */
  @Nullable String mismatch(MeshWorkload workload) {
    MeshWorkload known = right;
    if (workload == known) {
      return null;
    }
    List<InetAddress> told = workload.addresses();
    if (!workload.hostNetwork()
        && !told.isEmpty()
        && (known == null || !known.addresses().equals(told))) {
      Set<InetAddress> present;
      try {
        present = sockets.addresses();
      } catch (ChannelException e) {
        return "cannot see the addresses of its network namespace: " + ConnectionFailure.text(e);
      }
      if (told.stream().noneMatch(present::contains)) {
        return "none of the addresses "
            + told.stream().map(InetAddress::getHostAddress).toList()
            + " of workload "
            + workload.uid()
            + " is in the network namespace that was handed over for it";
      }
    }
    right = workload;
    return null;
  }
}
