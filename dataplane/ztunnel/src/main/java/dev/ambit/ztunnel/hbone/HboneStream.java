package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One CONNECT stream of an {@link HboneConnection}: bytes in both directions, each of which ends on
 * its own. Use it on the connection's event loop only.
 */
public final class HboneStream {
  /** A full TLS record; less of something larger waits for more credit. */
  private static final int SMALLEST_PART = 16 << 10;

  private final HboneConnection connection;
  private final int id;
  private StreamHandler handler;

  /** What the peer still takes; a SETTINGS frame can make it negative. */
  private long sendWindow;

  /** What we still take, and what we have taken and not yet given back. */
  private int receiveWindow;

  private int consumed;

  /** What came and was not passed on yet. */
  private int held;

  private @Nullable ArrayDeque<ByteBuf> queue;
  private boolean endQueued;
  private boolean waiting;

  private boolean localEnded;
  private boolean remoteEnded;
  private boolean closed;

  private boolean answered;
  private boolean dataPending;

  HboneStream(
      HboneConnection connection,
      int id,
      StreamHandler handler,
      long sendWindow,
      int receiveWindow) {
    this.connection = connection;
    this.id = id;
    this.handler = handler;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** The stream's number on its connection. */
  public int id() {
    return id;
  }

  /** The connection that it belongs to. */
  public HboneConnection connection() {
    return connection;
  }

  /** Who is told what happens from now on. */
  public void handler(StreamHandler newHandler) {
    handler = newHandler;
  }

  StreamHandler handler() {
    return handler;
  }

  /** Whether the stream is over, in both directions or by a reset. */
  public boolean isClosed() {
    return closed;
  }

  /**
   * Answers a stream that the peer opened. With {@code end} that is all there is to say: the stream
   * is over, whatever the peer still meant to send.
   */
  public void respond(Http2Headers headers, boolean end) {
    if (closed || answered) {
      return;
    }
    answered = true;
    connection.writeHeaders(this, headers, end);
    if (end && !closed) {
      localEnded = true;
      if (!remoteEnded) {
        // RFC 9113, section 8.1: a complete response, and no more of the request is wanted.
        connection.writeReset(id, Http2Error.NO_ERROR);
      }
      close();
    }
    connection.flushSoon();
  }

  /** Sends {@code data}, now or when the windows allow; it is the stream's to release. */
  public void write(ByteBuf data) {
    if (closed || localEnded || endQueued) {
      data.release();
    } else if (queue != null && !queue.isEmpty()) {
      queue.add(data);
    } else if (!pump(data)) {
      connection.awaitCapacity(this);
    }
  }

  /** Ends our direction once all that was written is sent. */
  public void end() {
    if (closed || localEnded || endQueued) {
      return;
    }
    if (queue != null && !queue.isEmpty()) {
      endQueued = true;
    } else {
      sendEnd();
    }
    connection.flushSoon();
  }

  /**
   * Whether more may be written without piling up. Where not, {@link StreamHandler#onWritable} will
   * be called.
   */
  public boolean isWritable() {
    boolean writable =
        sendWindow > 0 && (queue == null || queue.isEmpty()) && connection.isWritable();
    if (!writable && !closed) {
      connection.awaitCapacity(this);
    }
    return writable;
  }

  /**
   * Whether there is room for datagrams, which do not wait for any.
   *
   * @param much whether this stream is one that sends much
   * @param bytes of the datagrams
   * @param nanos what time it is
   */
  public boolean takesDatagrams(boolean much, int bytes, long nanos) {
    return sendWindow > 0
        && (queue == null || queue.isEmpty())
        && connection.takesDatagrams(much, bytes, nanos);
  }

  /** Has what was written go out at the end of this turn of the event loop. */
  public void flush() {
    connection.flushSoon();
  }

  /** {@code bytes} that came have been passed on: the peer may send as many again. */
  public void consumed(int bytes) {
    if (!closed) {
      held -= bytes;
      connection.release(bytes);
    }
    consumed += bytes;
    if (consumed >= connection.local().streamWindow() / 2 && !remoteEnded && !closed) {
      receiveWindow += consumed;
      connection.writeWindowUpdate(id, consumed);
      consumed = 0;
      connection.flushSoon();
    }
  }

  /** Abandons the stream in both directions; its handler hears no more. */
  public void reset(Http2Error error) {
    if (closed) {
      return;
    }
    connection.writeReset(id, error);
    connection.flushSoon();
    close();
  }

  // -- what the connection does with it

  boolean isWaiting() {
    return waiting;
  }

  void setWaiting(boolean value) {
    waiting = value;
  }

  boolean isDataPending() {
    return dataPending;
  }

  void setDataPending(boolean value) {
    dataPending = value;
  }

  boolean isAnswered() {
    return answered;
  }

  void setAnswered() {
    answered = true;
  }

  boolean isRemoteEnded() {
    return remoteEnded;
  }

  /** Whether the window held {@code bytes} more; counts them. */
  boolean receive(int bytes) {
    held += bytes;
    connection.hold(bytes);
    receiveWindow -= bytes;
    return receiveWindow >= 0;
  }

  /** Changes what the peer takes; false where that overflows. */
  boolean grow(long delta) {
    sendWindow += delta;
    return sendWindow <= Integer.MAX_VALUE;
  }

  /** The peer has ended its direction. */
  void endRemote() {
    remoteEnded = true;
    if (dataPending) {
      dataPending = false;
      handler.onDataComplete();
    }
    if (!closed) {
      handler.onEnd();
    }
    if (localEnded) {
      close();
    }
  }

  /** Sends what was queued, as far as the windows allow. */
  void drain() {
    ByteBuf next;
    while (queue != null && (next = queue.poll()) != null) {
      if (!pump(next)) {
        return;
      }
    }
    if (endQueued && !localEnded) {
      sendEnd();
    }
  }

  void close() {
    if (closed) {
      return;
    }
    closed = true;
    connection.release(held);
    held = 0;
    ArrayDeque<ByteBuf> unsent = queue;
    queue = null;
    if (unsent != null) {
      unsent.forEach(ByteBuf::release);
    }
    connection.onStreamClosed(this);
  }

  /** Sends as much of {@code data} as the windows allow; false where some had to be kept. */
  private boolean pump(ByteBuf data) {
    int left;
    while ((left = data.readableBytes()) > 0) {
      int allowed = connection.sendAllowance(sendWindow);
      if (allowed <= 0 || (allowed < left && isCrumb(allowed))) {
        if (queue == null) {
          queue = new ArrayDeque<>(2);
        }
        queue.addFirst(data);
        return false;
      }
      int count = Math.min(left, allowed);
      sendWindow -= count;
      connection.writeData(id, count == left ? data : data.readRetainedSlice(count), count);
      if (count == left) {
        return true;
      }
    }
    data.release();
    return true;
  }

  /**
   * Whether {@code allowed} is the last crumb of the stream's window: not worth a frame, a record
   * and a turn at each end, since the peer gives new credit long before all of it is used up.
   */
  private boolean isCrumb(int allowed) {
    return allowed == sendWindow
        && allowed < SMALLEST_PART
        && allowed < connection.peerStreamWindow() / 8;
  }

  private void sendEnd() {
    localEnded = true;
    connection.writeEnd(id);
    if (remoteEnded) {
      close();
    }
  }
}
