package dev.ambit.ztunnel.dns;

import io.netty.buffer.ByteBuf;
import java.util.function.IntConsumer;

/**
 * Where in a stream of messages, each after its length in two bytes, one ends and the next begins.
 */
final class FrameBoundary {
  private final IntConsumer onId;
  private int lengthBytes;
  private int length;
  private int seen;
  private int id;

  /**
   * @param onId told the id of each message once that has arrived
   */
  FrameBoundary(IntConsumer onId) {
    this.onId = onId;
  }

  /** Whether no message is under way. */
  boolean isBetween() {
    return lengthBytes == 0;
  }

  /**
   * Goes on from {@code from} in {@code bytes} up to the end of the message that is under way, or
   * begins there, or of what there is.
   *
   * @return the index after the last byte of it
   */
  int advance(ByteBuf bytes, int from) {
    int at = from;
    while (at < bytes.writerIndex()) {
      if (lengthBytes < 2) {
        length = (length << 8 | bytes.getUnsignedByte(at)) & 0xffff;
        lengthBytes++;
        at++;
      } else if (seen < Math.min(2, length)) {
        id = (id << 8 | bytes.getUnsignedByte(at)) & 0xffff;
        seen++;
        at++;
        if (seen == 2) {
          onId.accept(id);
        }
      } else {
        int step = Math.min(length - seen, bytes.writerIndex() - at);
        seen += step;
        at += step;
      }
      if (lengthBytes == 2 && seen == length) {
        lengthBytes = 0;
        length = 0;
        seen = 0;
        return at;
      }
    }
    return at;
  }
}
