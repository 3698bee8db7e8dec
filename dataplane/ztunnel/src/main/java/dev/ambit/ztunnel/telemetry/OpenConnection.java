package dev.ambit.ztunnel.telemetry;

import org.jspecify.annotations.Nullable;

/**
 * A connection's record while it is open. One thread at a time may call it (the connection's event
 * loop); calls neither block nor allocate, save the last.
 */
public interface OpenConnection {
  /**
   * Updates the byte counts, as often as the caller likes; the counts at {@link #closed} suffice
   * for short connections.
   *
   * @param sent bytes from source to destination since the beginning
   * @param received bytes from destination to source since the beginning
   */
  void progress(long sent, long received);

  /**
   * Ends the record. Calls after the first do nothing.
   *
   * @param sent bytes from source to destination
   * @param received bytes from destination to source
   * @param error what went wrong, if anything did
   * @param flag {@link ResponseFlag#NONE} where nothing did
   */
  void closed(long sent, long received, @Nullable String error, ResponseFlag flag);
}
