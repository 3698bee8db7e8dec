package dev.ambit.ztunnel.proxy;

import io.netty.channel.Channel;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Counts the tunnels that callers have to one pod, before and after they have proven who they are,
 * and bounds both. Any event loop may call it.
 */
final class TunnelAdmission {
  private final TunnelLimits limits;
  private final Map<InetAddress, Source> sources = new HashMap<>();
  private int pending;
  private @Nullable Channel pausedListener;

  private static final class Source {
    int tunnels;
    int pending;
  }

  TunnelAdmission(TunnelLimits limits) {
    this.limits = limits;
  }

  /**
   * Counts one more connection of {@code address}; where it is one too many of this address, says
   * why. Where all together are too many, {@code listener} accepts none until there are fewer.
   */
  synchronized @Nullable String admit(InetAddress address, @Nullable Channel listener) {
    Source source = sources.computeIfAbsent(address, any -> new Source());
    if (source.pending >= limits.pendingPerSource()) {
      return "the source has "
          + source.pending
          + " connections already on which it has not proven who it is";
    }
    if (source.tunnels >= limits.tunnelsPerSource()) {
      return "the source has " + source.tunnels + " tunnels already";
    }
    source.tunnels++;
    source.pending++;
    pending++;
    if (pending >= limits.pendingPerPod() && pausedListener == null && listener != null) {
      pausedListener = listener;
      listener.config().setAutoRead(false);
    }
    return null;
  }

  /** A caller that was admitted has proven who it is. */
  synchronized void authenticated(InetAddress address) {
    Objects.requireNonNull(sources.get(address)).pending--;
    endPending();
  }

  /** A connection that was admitted is over. */
  synchronized void closed(InetAddress address, boolean authenticated) {
    Source source = Objects.requireNonNull(sources.get(address));
    source.tunnels--;
    if (!authenticated) {
      source.pending--;
      endPending();
    }
    if (source.tunnels == 0) {
      sources.remove(address);
    }
  }

  private void endPending() {
    pending--;
    Channel listener = pausedListener;
    if (listener != null && pending < limits.pendingPerPod()) {
      pausedListener = null;
      listener.config().setAutoRead(true);
    }
  }
}
