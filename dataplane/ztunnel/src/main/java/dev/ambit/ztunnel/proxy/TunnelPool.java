package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.telemetry.ResponseFlag;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tunnels of one pod to one next hop on one event loop. Connections that find none with room
 * wait for one that is being set up, so that many at once share a handshake.
 */
final class TunnelPool {
  private final PodLoop pod;
  private final PoolKey key;
  private final List<PooledTunnel> tunnels = new ArrayList<>(1);
  private final ArrayDeque<TunnelUser> waiting = new ArrayDeque<>();

  TunnelPool(PodLoop pod, PoolKey key) {
    this.pod = pod;
    this.key = key;
  }

  PodLoop pod() {
    return pod;
  }

  PoolKey key() {
    return key;
  }

  private int maxStreams() {
    return pod.settings().maxStreamsPerTunnel();
  }

  /** Has {@code connection} opened on a tunnel, now or when there is one, or told why not. */
  void acquire(TunnelUser connection) {
    PooledTunnel tunnel = withRoom(connection.needsSettings());
    if (tunnel != null) {
      tunnel.open(connection);
    } else {
      waiting.add(connection);
      dialWhereNeeded();
    }
  }

  private @Nullable PooledTunnel withRoom(boolean settled) {
    for (int i = 0; i < tunnels.size(); i++) {
      PooledTunnel tunnel = tunnels.get(i);
      if (tunnel.hasRoom(maxStreams()) && (tunnel.isSettled() || !settled)) {
        return tunnel;
      }
    }
    return null;
  }

  private void dialWhereNeeded() {
    int unsettled = 0;
    for (PooledTunnel tunnel : tunnels) {
      if (!tunnel.isSettled()) {
        unsettled++;
      }
    }
    if ((long) unsettled * maxStreams() < waiting.size()) {
      PooledTunnel tunnel = new PooledTunnel(this);
      tunnels.add(tunnel);
      tunnel.dial();
    }
  }

  /** A tunnel can take more connections than before, or can take none any more. */
  void onCapacityChange() {
    serve();
    if (!waiting.isEmpty()) {
      dialWhereNeeded();
    }
    if (pod.isDraining() && waiting.isEmpty()) {
      for (PooledTunnel tunnel : List.copyOf(tunnels)) {
        tunnel.shutdown();
      }
    }
  }

  private void serve() {
    // Each has one turn: what cannot be opened yet holds up nobody behind it for long.
    for (int left = waiting.size(); left > 0; left--) {
      TunnelUser next = waiting.poll();
      if (next == null) {
        return;
      }
      if (next.isDone()) {
        continue;
      }
      PooledTunnel tunnel = withRoom(next.needsSettings());
      if (tunnel != null) {
        tunnel.open(next);
      } else if (next.needsSettings()) {
        waiting.add(next);
      } else {
        waiting.addFirst(next);
        return;
      }
    }
  }

  /** {@code tunnel} takes no more connections; those it has go on. */
  void onEnding(PooledTunnel tunnel) {
    if (tunnels.remove(tunnel)) {
      if (tunnel.hasServed()) {
        onCapacityChange();
      } else {
        failWaiting(
            new ConnectionFailure(
                "the next hop " + key.nextHop() + " takes no connections",
                ResponseFlag.CONNECT_FAILED));
      }
      releaseIfEmpty();
    }
  }

  /** {@code tunnel} never came to be, or broke. */
  void onFailed(PooledTunnel tunnel, ConnectionFailure failure) {
    if (tunnels.remove(tunnel)) {
      if (tunnel.hasServed()) {
        onCapacityChange();
      } else {
        failWaiting(failure);
      }
      releaseIfEmpty();
    }
  }

  /** Fails those that wait, unless another tunnel may still take them. */
  private void failWaiting(ConnectionFailure failure) {
    for (PooledTunnel tunnel : tunnels) {
      if (!tunnel.isSettled()) {
        return;
      }
    }
    serve();
    // Those that are told may ask again; they then wait for a tunnel of their own.
    TunnelUser[] failed = waiting.toArray(TunnelUser[]::new);
    waiting.clear();
    for (TunnelUser connection : failed) {
      connection.onTunnelFailure(failure);
    }
  }

  void releaseIfEmpty() {
    if (tunnels.isEmpty() && waiting.isEmpty()) {
      pod.removePool(this);
    }
  }
}
