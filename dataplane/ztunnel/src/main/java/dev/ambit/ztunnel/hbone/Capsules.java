package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;

/**
 * How datagrams lie in a stream: a capsule each (RFC 9297, section 3.2) with the context 0 of RFC
 * 9298, section 5. Numbers are QUIC's, of 1, 2, 4 or 8 bytes (RFC 9000, section 16).
 */
public final class Capsules {
  /** Free bytes that {@link HboneStream#write} makes use of, before the first capsule. */
  public static final int HEADROOM = Frames.HEAD_LENGTH;

  /** What a capsule adds to a payload, at most. */
  public static final int OVERHEAD = 6;

  /** RFC 9298, section 5: no UDP payload is longer. */
  static final int LARGEST_PAYLOAD = 65_527;

  static final int DATAGRAM = 0;
  static final int UDP_CONTEXT = 0;
  static final int MAX_NUMBER = 8;
  static final int MAX_HEAD = 2 * MAX_NUMBER;

  private static final int ONE_BYTE = 1 << 6;
  private static final int TWO_BYTES = 1 << 14;

  private Capsules() {}

  /** Writes a capsule with all of {@code payload}. */
  public static void write(ByteBuf out, ByteBuffer payload) {
    int length = payload.remaining() + 1;
    out.writeByte(DATAGRAM);
    if (length < ONE_BYTE) {
      out.writeByte(length);
    } else if (length < TWO_BYTES) {
      out.writeShort(1 << 14 | length);
    } else {
      out.writeInt(2 << 30 | length);
    }
    out.writeByte(UDP_CONTEXT);
    out.writeBytes(payload);
  }

  /** Of how many bytes the number is that begins with {@code first}. */
  static int numberSize(byte first) {
    return 1 << ((first & 0xff) >>> 6);
  }

  static long number(ByteBuf data, int at, int size) {
    return switch (size) {
      case 1 -> data.getByte(at) & 0x3f;
      case 2 -> data.getShort(at) & 0x3fff;
      case 4 -> data.getInt(at) & 0x3fff_ffff;
      default -> data.getLong(at) & 0x3fff_ffff_ffff_ffffL;
    };
  }
}
