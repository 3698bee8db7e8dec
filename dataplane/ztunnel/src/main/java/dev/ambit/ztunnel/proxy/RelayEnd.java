package dev.ambit.ztunnel.proxy;

import io.netty.buffer.ByteBuf;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * One end of a connection that passes through: a socket, or a stream of a tunnel. Bytes that it
 * reads are written to the other end once both are joined, and kept until then. Each direction ends
 * on its own; an end that breaks breaks the other.
 *
 * <p>All of a connection's ends live on one event loop.
 */
abstract class RelayEnd {
  /** What is read while there is no other end: most requests whole, so that they can go at once. */
  private static final int ENOUGH_EARLY = 1 << 10;

  private final ProxiedConnection connection;
  private @Nullable RelayEnd other;
  private @Nullable ArrayDeque<ByteBuf> early;
  private boolean inputEnded;
  private boolean outputEnded;
  private long bytesRead;

  RelayEnd(ProxiedConnection connection) {
    this.connection = connection;
  }

  final ProxiedConnection connection() {
    return connection;
  }

  /** Bytes that came from this end. */
  final long bytesRead() {
    return bytesRead;
  }

  final boolean isInputEnded() {
    return inputEnded;
  }

  final boolean isOutputEnded() {
    return outputEnded;
  }

  /** Lets bytes through between this end and {@code peer}, those first that came before. */
  final void join(RelayEnd peer) {
    other = peer;
    peer.other = this;
    passEarly();
    peer.passEarly();
    if (!connection.isDone()) {
      resumeReading();
    }
    if (!connection.isDone()) {
      peer.resumeReading();
    }
  }

  private void passEarly() {
    RelayEnd peer = other;
    ArrayDeque<ByteBuf> kept = early;
    early = null;
    if (peer == null) {
      return;
    }
    if (kept != null) {
      ByteBuf data;
      while ((data = kept.poll()) != null) {
        if (connection.isDone()) {
          data.release();
        } else {
          peer.write(data);
        }
      }
      if (!connection.isDone()) {
        peer.flush();
        throttle(peer.isWritable());
      }
    }
    if (inputEnded && !connection.isDone()) {
      peer.endOnce();
      connection.onDirectionEnd();
    }
  }

  // -- what the subclass reads

  final void onRead(ByteBuf data) {
    RelayEnd peer = other;
    if (connection.isDone()) {
      data.release();
      return;
    }
    bytesRead += data.readableBytes();
    if (peer != null) {
      peer.write(data);
    } else {
      if (early == null) {
        early = new ArrayDeque<>(2);
      }
      early.add(data);
      if (bytesRead >= ENOUGH_EARLY) {
        throttle(false);
      }
    }
  }

  final void onReadComplete() {
    RelayEnd peer = other;
    if (peer != null && !connection.isDone()) {
      peer.flush();
      throttle(peer.isWritable());
    }
  }

  final void onInputEnd() {
    if (inputEnded || connection.isDone()) {
      return;
    }
    inputEnded = true;
    RelayEnd peer = other;
    if (peer != null) {
      peer.endOnce();
      connection.onDirectionEnd();
    }
  }

  /** This end takes bytes again. */
  final void onOutputWritable() {
    RelayEnd peer = other;
    if (peer != null && !connection.isDone()) {
      peer.resumeReading();
    }
  }

  private void endOnce() {
    if (!outputEnded) {
      outputEnded = true;
      end();
    }
  }

  /** Forgets what was kept for an end that never came. */
  final void discardEarly() {
    ArrayDeque<ByteBuf> kept = early;
    early = null;
    if (kept != null) {
      kept.forEach(ByteBuf::release);
    }
  }

  // -- what the subclass does

  /** Writes {@code data}, and releases it. */
  abstract void write(ByteBuf data);

  abstract void flush();

  /** Ends this end's output once all that was written is out. */
  abstract void end();

  abstract boolean isWritable();

  /** The bytes read so far were written on; the other end takes more, or for now does not. */
  abstract void throttle(boolean otherWritable);

  /** The other end takes more. */
  abstract void resumeReading();

  /** Breaks this end off, so that whoever is behind it notices. */
  abstract void reset();

  /** Whether nothing is left to be done at this end. */
  abstract boolean isFinished();
}
