package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Memory for receiving and sending many datagrams by one call ({@code recvmmsg}, {@code sendmmsg}),
 * used again and again: a datagram costs no object. For one thread.
 */
public final class DatagramBatch implements AutoCloseable {
  /** No UDP payload is longer, over IPv4 or IPv6. */
  public static final int LARGEST = 65_535;

  /** How many datagrams fit. */
  public static final int SLOTS = 32;

  public static final int EAGAIN = 11;
  public static final int ECONNREFUSED = 111;
  private static final int EIO = 5;
  private static final int EINVAL = 22;
  private static final int EMSGSIZE = 90;

  private static final int MSG_DONTWAIT = 0x40;
  private static final int MSG_NOSIGNAL = 0x4000;

  // struct mmsghdr, struct iovec and struct cmsghdr as every 64-bit Linux has them.
  private static final int HEADER = 64;
  private static final int NAME = 0;
  private static final int NAME_LENGTH = 8;
  private static final int VECTOR = 16;
  private static final int VECTOR_LENGTH = 24;
  private static final int CONTROL = 32;
  private static final int CONTROL_LENGTH = 40;
  private static final int MESSAGE_LENGTH = 56;
  private static final int VECTOR_SIZE = 16;
  private static final int CONTROL_HEADER = 16;
  private static final int SOL_IP = 0;
  private static final int SOL_IPV6 = 41;
  private static final int IP_ORIGDSTADDR = 20;
  private static final int IPV6_ORIGDSTADDR = 74;
  private static final int SOL_UDP = 17;
  private static final int UDP_SEGMENT = 103;
  private static final int HEAD = 8;
  private static final int SEGMENT_LENGTH = CONTROL_HEADER + 2;
  private static final int SEGMENT_SPACE = CONTROL_HEADER + 8;

  /** What a run of datagrams may be long, so that it fits into one packet of either family. */
  private static final int LONGEST_RUN = 65_000;

  private static final int SLOT = 1 << 16;
  private static final int NAME_SLOT = 32;
  private static final int CONTROL_SLOT = 64;

  private static final ValueLayout.OfShort BIG_ENDIAN_SHORT =
      JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);

  private static final MethodHandle RECVMMSG =
      Libc.handle(
          "recvmmsg",
          -1,
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_LONG));
  private static final MethodHandle SENDMMSG =
      Libc.handle(
          "sendmmsg", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT));

  private final Arena arena = Arena.ofShared();

  /** Headers for datagrams of a connected socket, and for such that tell whence and where to. */
  private final MemorySegment plain = arena.allocate((long) SLOTS * HEADER, 8);

  private final MemorySegment addressed = arena.allocate((long) SLOTS * HEADER, 8);
  private final MemorySegment outgoing = arena.allocate((long) SLOTS * HEADER, 8);
  private final MemorySegment vectors = arena.allocate((long) SLOTS * VECTOR_SIZE, 8);
  private final MemorySegment outgoingVectors = arena.allocate((long) SLOTS * VECTOR_SIZE, 8);
  private final MemorySegment names = arena.allocate((long) SLOTS * NAME_SLOT, 8);
  private final MemorySegment controls = arena.allocate((long) SLOTS * CONTROL_SLOT, 8);

  /** Of sockets that write the heads of their datagrams: those, and where each head and body is. */
  private final MemorySegment heads = arena.allocate((long) SLOTS * HEAD, 8);

  private final MemorySegment pairs = arena.allocate((long) SLOTS * 2 * VECTOR_SIZE, 8);
  private final MemorySegment segments = arena.allocate((long) SLOTS * SEGMENT_SPACE, 8);
  private final MemorySegment staging = arena.allocate(SLOT, 8);
  private final ByteBuffer stagingView = staging.asByteBuffer();
  private final ByteBuffer[] payloads = new ByteBuffer[SLOTS];

  /** How many datagrams each outgoing message has. */
  private final int[] runs = new int[SLOTS];

  private MemorySegment filled;
  private SocketAddresses.@Nullable Words peer;
  private int added;
  private int sendError;

  public DatagramBatch() {
    var memory = arena.allocate((long) SLOTS * SLOT, 64);
    for (int i = 0; i < SLOTS; i++) {
      payloads[i] = memory.asSlice((long) i * SLOT, SLOT).asByteBuffer();
      long vector = (long) i * VECTOR_SIZE;
      vectors.set(JAVA_LONG, vector, memory.address() + (long) i * SLOT);
      vectors.set(JAVA_LONG, vector + 8, LARGEST);
      for (var headers : new MemorySegment[] {plain, addressed}) {
        long header = (long) i * HEADER;
        headers.set(JAVA_LONG, header + VECTOR, vectors.address() + vector);
        headers.set(JAVA_LONG, header + VECTOR_LENGTH, 1);
        headers.set(JAVA_LONG, header + NAME, names.address() + (long) i * NAME_SLOT);
      }
      long segment = (long) i * SEGMENT_SPACE;
      segments.set(JAVA_LONG, segment, SEGMENT_LENGTH);
      segments.set(JAVA_INT, segment + 8, SOL_UDP);
      segments.set(JAVA_INT, segment + 12, UDP_SEGMENT);
      addressed.set(
          JAVA_LONG, (long) i * HEADER + CONTROL, controls.address() + (long) i * CONTROL_SLOT);
    }
    filled = plain;
  }

  /**
   * Takes what waits at a connected socket; {@link #source} and {@link #isFromPeer} are known then.
   *
   * @return how many datagrams; 0 where none waits; negative: the errno, such as {@link
   *     #ECONNREFUSED} for one that was sent and found no one
   */
  public int receive(TransparentUdpSocket socket) {
    return receive(socket, plain);
  }

  /** The same, for a socket that tells destinations; {@link #destination} is known then too. */
  public int receiveAddressed(TransparentUdpSocket socket) {
    for (int i = 0; i < SLOTS; i++) {
      addressed.set(JAVA_LONG, (long) i * HEADER + CONTROL_LENGTH, CONTROL_SLOT);
    }
    return receive(socket, addressed);
  }

  private int receive(TransparentUdpSocket socket, MemorySegment headers) {
    filled = headers;
    peer = socket.peer();
    for (int i = 0; i < SLOTS; i++) {
      headers.set(JAVA_INT, (long) i * HEADER + NAME_LENGTH, NAME_SLOT);
    }
    while (true) {
      int count;
      try {
        count =
            (int)
                RECVMMSG.invokeExact(
                    Libc.state(), socket.fd(), headers.address(), SLOTS, MSG_DONTWAIT, 0L);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
      if (count >= 0) {
        return count;
      }
      int errno = Libc.errno();
      if (errno != Libc.EINTR) {
        return errno == EAGAIN ? 0 : -errno;
      }
    }
  }

  /** The payload of the datagram {@code index} that came last; valid until the next receive. */
  public ByteBuffer payload(int index) {
    return payloads[index]
        .clear()
        .limit(filled.get(JAVA_INT, (long) index * HEADER + MESSAGE_LENGTH));
  }

  /** Who sent the datagram {@code index}. */
  public InetSocketAddress source(int index) {
    return SocketAddresses.read(names, (long) index * NAME_SLOT);
  }

  /**
   * Whether whom the socket is connected to sent the datagram {@code index}. Others' come as well:
   * between bind and connect, and for a moment longer where the kernel had chosen the socket by
   * then.
   */
  public boolean isFromPeer(int index) {
    return peer != null && peer.isAt(names, (long) index * NAME_SLOT);
  }

  /**
   * Where the datagram {@code index} was going.
   *
   * @throws IllegalStateException where the kernel did not tell
   */
  public InetSocketAddress destination(int index) {
    long end = addressed.get(JAVA_LONG, (long) index * HEADER + CONTROL_LENGTH);
    long base = (long) index * CONTROL_SLOT;
    for (long at = 0; at + CONTROL_HEADER <= end; ) {
      long length = controls.get(JAVA_LONG, base + at);
      int level = controls.get(JAVA_INT, base + at + 8);
      int type = controls.get(JAVA_INT, base + at + 12);
      if ((level == SOL_IP && type == IP_ORIGDSTADDR)
          || (level == SOL_IPV6 && type == IPV6_ORIGDSTADDR)) {
        return SocketAddresses.read(controls, base + at + CONTROL_HEADER);
      }
      if (length < CONTROL_HEADER) {
        break;
      }
      at += (length + 7) & ~7;
    }
    throw new IllegalStateException("a datagram whose destination the kernel did not tell");
  }

  /** Whether {@link #SLOTS} datagrams wait for {@link #send}. */
  public boolean isFull() {
    return added == SLOTS;
  }

  /** How many datagrams wait for {@link #send}. */
  public int added() {
    return added;
  }

  /** Adds a datagram that lies in native memory, which stays there until it is sent. */
  public void add(long address, int length) {
    long vector = (long) added * VECTOR_SIZE;
    outgoingVectors.set(JAVA_LONG, vector, address);
    outgoingVectors.set(JAVA_LONG, vector + 8, length);
    added++;
  }

  /** Adds the datagram {@code index} that came last, as it is. */
  public void addReceived(int index) {
    add(
        vectors.get(JAVA_LONG, (long) index * VECTOR_SIZE),
        filled.get(JAVA_INT, (long) index * HEADER + MESSAGE_LENGTH));
  }

  /** Sends nothing of what was added. */
  public void forget() {
    added = 0;
  }

  /** Memory for one datagram that does not lie in native memory, to be sent before the next. */
  public ByteBuffer staging() {
    return stagingView.clear();
  }

  /** Adds the first bytes of {@link #staging}. */
  public void addStaged(int length) {
    add(staging.address(), length);
  }

  /**
   * Sends what was added over a connected socket; nothing waits afterwards. Where the socket {@link
   * TransparentUdpSocket#segments segments}, runs of one length go through the kernel as one
   * packet, which it takes apart where they are received.
   *
   * @return how many were sent; the others were refused with {@link #sendError}
   */
  public int send(TransparentUdpSocket socket) {
    int total = added;
    added = 0;
    sendError = 0;
    int sent = 0;
    int message = 0;
    var ports = socket.ports();
    int messages = ports == null ? arrange(0, total, socket.segments()) : head(total, ports);
    while (message < messages) {
      int count;
      try {
        count =
            (int)
                SENDMMSG.invokeExact(
                    Libc.state(),
                    socket.fd(),
                    outgoing.address() + (long) message * HEADER,
                    messages - message,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
      } catch (Throwable t) {
        throw new AssertionError(t);
      }
      if (count >= 0) {
        for (int end = message + count; message < end; message++) {
          sent += runs[message];
        }
        continue;
      }
      int errno = Libc.errno();
      if (runs[message] > 1 && (errno == EINVAL || errno == EIO || errno == EMSGSIZE)) {
        // As where the way there has a packet size of its own: one by one from now on.
        socket.segment(false);
        message = 0;
        messages = arrange(sent, total, false);
      } else if (errno != Libc.EINTR) {
        sendError = errno;
        return sent;
      }
    }
    return sent;
  }

  /** Makes messages of the datagrams from {@code from} on; returns how many. */
  private int arrange(int from, int total, boolean segmenting) {
    int messages = 0;
    for (int at = from; at < total; at += runs[messages++]) {
      int run = segmenting ? run(at, total) : 1;
      runs[messages] = run;
      long header = (long) messages * HEADER;
      outgoing.set(JAVA_LONG, header + VECTOR, outgoingVectors.address() + (long) at * VECTOR_SIZE);
      outgoing.set(JAVA_LONG, header + VECTOR_LENGTH, run);
      if (run > 1) {
        long segment = (long) messages * SEGMENT_SPACE;
        segments.set(JAVA_SHORT, segment + CONTROL_HEADER, (short) length(at));
        outgoing.set(JAVA_LONG, header + CONTROL, segments.address() + segment);
        outgoing.set(JAVA_LONG, header + CONTROL_LENGTH, SEGMENT_SPACE);
      } else {
        outgoing.set(JAVA_LONG, header + CONTROL, 0);
        outgoing.set(JAVA_LONG, header + CONTROL_LENGTH, 0);
      }
    }
    return messages;
  }

  /** Makes messages that begin with the head of a datagram, as RFC 768 has it. */
  private int head(int total, TransparentUdpSocket.Ports ports) {
    for (int i = 0; i < total; i++) {
      runs[i] = 1;
      long head = (long) i * HEAD;
      heads.set(BIG_ENDIAN_SHORT, head, (short) ports.source());
      heads.set(BIG_ENDIAN_SHORT, head + 2, (short) ports.destination());
      heads.set(BIG_ENDIAN_SHORT, head + 4, (short) (HEAD + length(i)));
      heads.set(BIG_ENDIAN_SHORT, head + 6, (short) 0);
      long pair = (long) i * 2 * VECTOR_SIZE;
      pairs.set(JAVA_LONG, pair, heads.address() + head);
      pairs.set(JAVA_LONG, pair + 8, HEAD);
      MemorySegment.copy(
          outgoingVectors, (long) i * VECTOR_SIZE, pairs, pair + VECTOR_SIZE, VECTOR_SIZE);
      long header = (long) i * HEADER;
      outgoing.set(JAVA_LONG, header + VECTOR, pairs.address() + pair);
      outgoing.set(JAVA_LONG, header + VECTOR_LENGTH, 2);
      outgoing.set(JAVA_LONG, header + CONTROL, 0);
      outgoing.set(JAVA_LONG, header + CONTROL_LENGTH, 0);
    }
    return total;
  }

  /** How many datagrams from {@code from} on can be one packet: the last may be shorter. */
  private int run(int from, int total) {
    int size = length(from);
    int sum = size;
    int at = from + 1;
    while (size > 0 && at < total && sum + size <= LONGEST_RUN) {
      int next = length(at);
      if (next == 0 || next > size) {
        break;
      }
      at++;
      sum += next;
      if (next < size) {
        break;
      }
    }
    return at - from;
  }

  private int length(int index) {
    return (int) outgoingVectors.get(JAVA_LONG, (long) index * VECTOR_SIZE + 8);
  }

  /** Why the last {@link #send} did not send all; 0 where it did. */
  public int sendError() {
    return sendError;
  }

  @Override
  public void close() {
    arena.close();
  }
}
