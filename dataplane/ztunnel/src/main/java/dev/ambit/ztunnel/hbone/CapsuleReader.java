package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Takes the datagrams out of a stream that carries UDP: capsules of RFC 9297 with payloads of RFC
 * 9298. A datagram that came whole is passed on where it lies; of one that came in parts no more is
 * kept than it is long. Capsules and contexts that nobody here knows are skipped, as they are to
 * be. For one stream, on its event loop.
 */
public final class CapsuleReader {
  /** Who takes datagrams. */
  public interface Sink {
    /**
     * Takes one payload, which may be empty. It stays the reader's, until {@link #settle} or the
     * end of {@link #read}.
     */
    void onDatagram(ByteBuf payload);

    /** The memory of payloads that were told is given up after this. */
    void settle();
  }

  private final ByteBufAllocator allocator;

  /** The begin of a capsule whose end is yet to come. */
  private @Nullable ByteBuf begun;

  /** What is left of a capsule that nobody wants. */
  private long skipped;

  // What parseHead found.
  private long type;
  private long length;

  public CapsuleReader(ByteBufAllocator allocator) {
    this.allocator = allocator;
  }

  /**
   * Reads all of {@code data}, which stays the caller's.
   *
   * @throws CapsuleException where the stream breaks the rules: it is to be reset, and not read
   *     again
   */
  public void read(ByteBuf data, Sink sink) throws CapsuleException {
    while (data.isReadable()) {
      if (skipped > 0) {
        int count = (int) Math.min(skipped, data.readableBytes());
        data.skipBytes(count);
        skipped -= count;
      } else if (begun != null) {
        goOn(begun, data, sink);
      } else {
        begin(data, sink);
      }
    }
  }

  private void begin(ByteBuf data, Sink sink) throws CapsuleException {
    int head = parseHead(data);
    if (head < 0) {
      ByteBuf kept = allocator.directBuffer(Capsules.MAX_HEAD);
      begun = kept;
      kept.writeBytes(data);
      return;
    }
    if (type != Capsules.DATAGRAM) {
      data.skipBytes(head);
      skipped = length;
      return;
    }
    requirePossible();
    int all = head + (int) length;
    if (data.readableBytes() >= all) {
      data.skipBytes(head);
      ByteBuf payload = data.readSlice((int) length);
      deliver(payload, sink);
      return;
    }
    // Grows with what comes: how long it says that it is costs nothing.
    ByteBuf kept = allocator.directBuffer(Math.min(all, 2 * data.readableBytes()), all);
    begun = kept;
    kept.writeBytes(data);
  }

  private void goOn(ByteBuf kept, ByteBuf data, Sink sink) throws CapsuleException {
    int head = parseHead(kept);
    while (head < 0 && data.isReadable()) {
      kept.writeByte(data.readByte());
      head = parseHead(kept);
    }
    if (head < 0) {
      return;
    }
    if (type != Capsules.DATAGRAM) {
      // Byte by byte: nothing after the head has been taken yet.
      skipped = length;
      close();
      return;
    }
    requirePossible();
    int missing = head + (int) length - kept.readableBytes();
    int count = Math.min(missing, data.readableBytes());
    kept.ensureWritable(count);
    kept.writeBytes(data, count);
    if (count == missing) {
      begun = null;
      try {
        kept.skipBytes(head);
        deliver(kept, sink);
        sink.settle();
      } finally {
        kept.release();
      }
    }
  }

  private void requirePossible() throws CapsuleException {
    if (length == 0) {
      throw new CapsuleException("a datagram without a context");
    }
    if (length > Capsules.LARGEST_PAYLOAD + Capsules.MAX_NUMBER) {
      throw new CapsuleException("a datagram of " + length + " bytes is more than UDP has");
    }
  }

  private static void deliver(ByteBuf datagram, Sink sink) throws CapsuleException {
    int size = Capsules.numberSize(datagram.getByte(datagram.readerIndex()));
    if (datagram.readableBytes() < size) {
      throw new CapsuleException("a datagram's context is cut off");
    }
    long context = Capsules.number(datagram, datagram.readerIndex(), size);
    if (context != Capsules.UDP_CONTEXT) {
      return;
    }
    datagram.skipBytes(size);
    if (datagram.readableBytes() > Capsules.LARGEST_PAYLOAD) {
      throw new CapsuleException(
          "a UDP payload of " + datagram.readableBytes() + " bytes is more than UDP has");
    }
    sink.onDatagram(datagram);
  }

  /** How long the capsule's head is, which is then known; -1 where more of it is to come. */
  private int parseHead(ByteBuf data) {
    int at = data.readerIndex();
    int there = data.readableBytes();
    if (there == 0) {
      return -1;
    }
    int typeSize = Capsules.numberSize(data.getByte(at));
    if (there <= typeSize) {
      return -1;
    }
    int lengthSize = Capsules.numberSize(data.getByte(at + typeSize));
    if (there < typeSize + lengthSize) {
      return -1;
    }
    type = Capsules.number(data, at, typeSize);
    length = Capsules.number(data, at + typeSize, lengthSize);
    return typeSize + lengthSize;
  }

  /** How many bytes it keeps of a datagram whose end is yet to come. */
  public int kept() {
    ByteBuf kept = begun;
    return kept == null ? 0 : kept.readableBytes();
  }

  /** Forgets what has begun. */
  public void close() {
    ByteBuf kept = begun;
    begun = null;
    if (kept != null) {
      kept.release();
    }
  }
}
