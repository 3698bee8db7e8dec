package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.DatagramBatch;
import dev.ambit.ztunnel.hbone.CapsuleException;
import dev.ambit.ztunnel.hbone.CapsuleReader;
import dev.ambit.ztunnel.hbone.Capsules;
import dev.ambit.ztunnel.hbone.DatagramShare;
import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.hbone.StreamHandler;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.DropReason;
import dev.ambit.ztunnel.telemetry.FlowCounts;
import dev.ambit.ztunnel.telemetry.OpenFlow;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Datagrams between one socket of an application and one peer of it, from the first until none has
 * come for long: between a UDP socket in the pod, which the kernel gives this flow's datagrams
 * alone, and a stream of a tunnel. Nothing waits: what cannot go on at once is dropped and counted.
 * It is reported exactly once: as failed where it never was open, else as opened and closed.
 */
abstract class Flow implements StreamHandler, CapsuleReader.Sink {
  /** A flow that sends more bytes in a while leaves room in the tunnel to those that do not. */
  private static final int MUCH = 64 << 10;

  /** What is put into one DATA frame, unless one datagram alone is longer. */
  private static final int FRAME = 64 << 10;

  private final Flows flows;
  private final CapsuleReader capsules = new CapsuleReader(PooledByteBufAllocator.DEFAULT);
  private @Nullable FlowSocket socket;
  private @Nullable HboneStream stream;
  private @Nullable OpenFlow record;
  private boolean done;

  /** Whether it was reported as failed already, though it is still there. */
  private boolean reported;

  private long datagramsIn;
  private long bytesIn;
  private long datagramsOut;
  private long bytesOut;
  private long dropped;

  private long lastNanos = System.nanoTime();
  private final DatagramShare share = new DatagramShare(MUCH);

  Flow(Flows flows) {
    this.flows = flows;
  }

  final Flows flows() {
    return flows;
  }

  final PodLoop pod() {
    return flows.pod();
  }

  final boolean isOver() {
    return done;
  }

  final boolean isOpen() {
    return record != null && !done;
  }

  /** What is known of it now. */
  abstract ConnectionInfo info();

  /** Where the application's datagrams were going, where {@link #info} tells only where they go. */
  abstract @Nullable String originalDestination();

  /** What policies decided on; null where they do not judge here. */
  abstract @Nullable PolicyInput policyInput();

  /** Whether what comes from the pod's socket is on its way from the flow's source. */
  abstract boolean isOutbound();

  /** A datagram that was sent to the application, or to a plain peer, found nobody. */
  abstract void onPortUnreachable();

  /** What the mesh looks like has changed, or a second has passed. */
  abstract void check();

  final void socket(FlowSocket opened) {
    socket = opened;
  }

  final @Nullable FlowSocket socket() {
    return socket;
  }

  final void stream(@Nullable HboneStream opened) {
    stream = opened;
  }

  final @Nullable HboneStream stream() {
    return stream;
  }

  /** The tunnel that it goes through; null where it goes through none. */
  final @Nullable HboneConnection tunnel() {
    HboneStream through = stream;
    return through == null ? null : through.connection();
  }

  final void establish() {
    record = flows.log().opened(info());
  }

  /** Notes {@code count} datagrams that were not passed on. */
  final void drop(DropReason reason, long count) {
    dropped += count;
    OpenFlow open = record;
    if (open != null) {
      open.dropped(reason, count);
    } else {
      flows.log().dropped(info(), reason, count);
    }
  }

  final FlowCounts counts() {
    return isOutbound()
        ? new FlowCounts(datagramsIn, bytesIn, datagramsOut, bytesOut, dropped)
        : new FlowCounts(datagramsOut, bytesOut, datagramsIn, bytesIn, dropped);
  }

  final void reportProgress() {
    OpenFlow open = record;
    if (open != null && !done) {
      open.progress(counts());
    }
  }

  /** Since when it has been silent. */
  final long idleNanos(long now) {
    return now - lastNanos;
  }

  final void touch() {
    lastNanos = System.nanoTime();
  }

  /** Whether datagrams went both ways. */
  final boolean isReplied() {
    return datagramsIn > 0 && datagramsOut > 0;
  }

  /** Ends it; {@code error} is null where it ends as its ends wanted. */
  final void finish(@Nullable String error, ResponseFlag flag) {
    if (done) {
      return;
    }
    done = true;
    OpenFlow open = record;
    if (open == null) {
      report(error == null ? "ended before it was open" : error, flag);
    } else {
      open.closed(counts(), error, flag);
    }
    release();
  }

  /** Reports it as failed, once. */
  final void report(String error, ResponseFlag flag) {
    if (!reported) {
      reported = true;
      flows.log().failed(info(), error, flag);
    }
  }

  /** Gives back what it holds. */
  void release() {
    done = true;
    FlowSocket held = socket;
    if (held != null) {
      held.close();
    }
    HboneStream through = stream;
    if (through != null && !through.isClosed()) {
      through.reset(Http2Error.CANCEL);
    }
    capsules.close();
    flows.remove(this);
  }

  /** Ends it without anything being wrong. */
  final void end() {
    HboneStream through = stream;
    if (through != null) {
      through.end();
      through.reset(Http2Error.NO_ERROR);
    }
    finish(null, ResponseFlag.NONE);
  }

  // -- from the pod's socket

  final void onReadable(FlowSocket from) {
    DatagramBatch batch = flows.batch();
    int count = batch.receive(from.socket());
    if (count < 0) {
      onSocketError(-count);
      return;
    }
    for (int next = 0; next < count; next++) {
      int first = next;
      while (next < count && !done && batch.isFromPeer(next)) {
        next++;
      }
      if (next > first) {
        lastNanos = System.nanoTime();
        onDatagrams(batch, first, next);
      }
      if (next < count) {
        flows.onStray(batch.source(next), from.socket().local(), batch.payload(next));
      }
    }
  }

  /** Datagrams came from the pod's socket: those from {@code first} on, before {@code end}. */
  void onDatagrams(DatagramBatch batch, int first, int end) {
    HboneStream to = stream;
    if (to != null && record != null) {
      sendThrough(to, batch, first, end);
    } else {
      drop(DropReason.NOT_OPEN, end - first);
    }
  }

  final void sendThrough(HboneStream to, DatagramBatch batch, int from, int until) {
    int left = 0;
    for (int i = from; i < until; i++) {
      left += batch.payload(i).remaining() + Capsules.OVERHEAD;
    }
    ByteBuf out = null;
    for (int i = from; i < until; i++) {
      ByteBuffer payload = batch.payload(i);
      int length = payload.remaining();
      int needed = length + Capsules.OVERHEAD;
      if (out != null && out.writableBytes() < needed) {
        to.write(out);
        out = null;
      }
      if (out == null) {
        if (!findsRoom(to, Math.min(left, FRAME))) {
          drop(DropReason.TUNNEL_FULL, until - i);
          break;
        }
        out = frame(Math.max(needed, Math.min(left, FRAME)));
      }
      left -= needed;
      Capsules.write(out, payload);
      datagramsIn++;
      bytesIn += length;
    }
    if (out != null) {
      to.write(out);
    }
    to.flush();
  }

  /** Sends one datagram that was kept. */
  final void sendThrough(HboneStream to, ByteBuffer payload) {
    int length = payload.remaining();
    if (!findsRoom(to, length)) {
      drop(DropReason.TUNNEL_FULL, 1);
      return;
    }
    ByteBuf out = frame(length + Capsules.OVERHEAD);
    Capsules.write(out, payload);
    datagramsIn++;
    bytesIn += length;
    to.write(out);
    to.flush();
  }

  /** Whether there is room for {@code bytes}, at the time of the last datagram. */
  private boolean findsRoom(HboneStream to, int bytes) {
    return to.takesDatagrams(share.isMuch(bytes, lastNanos), bytes, lastNanos);
  }

  private static ByteBuf frame(int capacity) {
    ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer(Capsules.HEADROOM + capacity);
    return out.setIndex(Capsules.HEADROOM, Capsules.HEADROOM);
  }

  final void countIn(int bytes) {
    datagramsIn++;
    bytesIn += bytes;
  }

  final void countOut(int bytes) {
    datagramsOut++;
    bytesOut += bytes;
  }

  final void onSocketError(int errno) {
    if (errno == DatagramBatch.ECONNREFUSED) {
      onPortUnreachable();
    }
    // Others, such as that a datagram was too long, concern one datagram alone.
  }

  // -- from the stream

  @Override
  public void onResponse(Http2Headers headers) {}

  @Override
  public final void onData(ByteBuf data) {
    // What is kept of a datagram is the peer's to answer for, until its end comes.
    int passed = data.readableBytes() + capsules.kept();
    lastNanos = System.nanoTime();
    HboneStream from = stream;
    try {
      capsules.read(data, this);
    } catch (CapsuleException e) {
      if (from != null) {
        from.reset(Http2Error.PROTOCOL_ERROR);
      }
      finish("the tunnel's peer sent " + e.getMessage(), ResponseFlag.CONNECT_FAILED);
    } finally {
      settle();
      data.release();
      if (from != null) {
        from.consumed(passed - capsules.kept());
      }
    }
  }

  @Override
  public final void onDatagram(ByteBuf payload) {
    FlowSocket to = socket;
    int length = payload.readableBytes();
    if (done) {
      return;
    }
    if (to == null || record == null) {
      drop(DropReason.NOT_OPEN, 1);
      return;
    }
    DatagramBatch batch = flows.batch();
    if (batch.isFull()) {
      settle();
    }
    datagramsOut++;
    bytesOut += length;
    if (payload.hasMemoryAddress()) {
      batch.add(payload.memoryAddress() + payload.readerIndex(), length);
    } else {
      settle();
      payload.readBytes(batch.staging().limit(length));
      batch.addStaged(length);
      settle();
    }
  }

  @Override
  public final void settle() {
    DatagramBatch batch = flows.batch();
    int count = batch.added();
    if (count == 0) {
      return;
    }
    FlowSocket to = socket;
    if (to == null || to.isClosed()) {
      batch.forget();
      return;
    }
    int sent = batch.send(to.socket());
    if (sent < count) {
      int errno = batch.sendError();
      drop(
          errno == DatagramBatch.ECONNREFUSED ? DropReason.REFUSED : DropReason.SOCKET,
          count - sent);
      onSocketError(errno);
    }
  }

  @Override
  public final void onDataComplete() {}

  @Override
  public void onEnd() {
    end();
  }

  @Override
  public final void onWritable() {
    // Whatever did not find room is gone already.
  }
}
