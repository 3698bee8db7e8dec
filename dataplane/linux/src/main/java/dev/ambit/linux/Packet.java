package dev.ambit.linux;

import java.util.OptionalInt;

/**
 * One message of a {@link SeqPacketSocket}. The descriptor, if one came with it, belongs to the
 * receiver, who closes it or has {@link NetworkNamespace#adopt} do so.
 *
 * @param data the message; empty at the end of the stream
 * @param fd the one descriptor that came with it
 */
public record Packet(byte[] data, OptionalInt fd) {
  /** Whether the peer has closed the connection. */
  public boolean isEnd() {
    return data.length == 0;
  }
}
