package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import org.jspecify.annotations.Nullable;

/**
 * A connection that is open, for inspection.
 *
 * @param originalDestination where the application, or the tunnel's peer, wanted to go; null where
 *     that is what {@code info} tells
 * @param datagrams whether it is a flow of UDP
 */
public record LiveConnection(
    ConnectionInfo info, @Nullable String originalDestination, boolean datagrams) {
  /** Of TCP. */
  public LiveConnection(ConnectionInfo info, @Nullable String originalDestination) {
    this(info, originalDestination, false);
  }
}
