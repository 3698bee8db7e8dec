package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.identity.Identity;

/** What waits for a stream of a tunnel. */
interface TunnelUser {
  /** Whether it wants none any more. */
  boolean isDone();

  /** Whether it has to know first what the peer's SETTINGS say. */
  default boolean needsSettings() {
    return false;
  }

  /** A tunnel has room: opens a stream on it. */
  void openOn(HboneConnection tunnel, Identity proven);

  /** No tunnel could be had. */
  void onTunnelFailure(ConnectionFailure failure);
}
