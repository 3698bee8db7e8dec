package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * TLS once the handshake is over. It takes the engine from {@link SslHandler}, which makes a
 * promise and a buffer for each record; this decrypts a whole read into one buffer, and encrypts
 * all small frames of a turn of the event loop as few records.
 *
 * <p>A hot path: nothing is allocated on the heap but the engine's result of each call.
 */
public final class TlsRecords extends ChannelDuplexHandler {
  /** The most that one record holds. */
  private static final int RECORD = 16 << 10;

  /** What a record adds at most to its content, in the engine's own reckoning. */
  private static final int RECORD_OVERHEAD = 90;

  /** Smaller buffers are copied together: that costs less than a record for each. */
  private static final int SMALL = 4 << 10;

  private final SSLEngine engine;
  private final ArrayDeque<ByteBuf> queue = new ArrayDeque<>();
  private boolean closing;

  private TlsRecords(SSLEngine engine) {
    this.engine = engine;
  }

  /**
   * Puts itself in the place of {@code channel}'s {@link SslHandler}, whose handshake is done, in a
   * later turn of the event loop: within that handler's own calls it would not let go.
   */
  public static void takeOverSoon(Channel channel) {
    channel.eventLoop().execute(() -> takeOver(channel));
  }

  private static void takeOver(Channel channel) {
    SslHandler handler = channel.pipeline().get(SslHandler.class);
    if (handler == null || !channel.isActive()) {
      return;
    }
    SSLEngine engine = handler.engine();
    if (engine.isInboundDone() || engine.isOutboundDone()) {
      return;
    }
    channel.pipeline().flush();
    // The handler releases the engine when it goes.
    ReferenceCountUtil.retain(engine);
    channel.pipeline().replace(handler, null, new TlsRecords(engine));
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    queue.forEach(ByteBuf::release);
    queue.clear();
    ReferenceCountUtil.release(engine);
  }

  // -- what comes

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) throws SSLException {
    ByteBuf in = (ByteBuf) message;
    try {
      decrypt(context, in);
    } finally {
      in.release();
    }
  }

  private void decrypt(ChannelHandlerContext context, ByteBuf in) throws SSLException {
    int room = in.readableBytes();
    ByteBuffer from = view(in);
    SSLEngineResult result;
    do {
      if (closing) {
        return;
      }
      ByteBuf out = context.alloc().directBuffer(room, room);
      try {
        result = engine.unwrap(from, out.internalNioBuffer(0, room));
      } catch (SSLException e) {
        out.release();
        throw e;
      }
      out.writerIndex(result.bytesProduced());
      if (out.isReadable()) {
        context.fireChannelRead(out);
      } else {
        out.release();
      }
      if (followUp(context, result)) {
        return;
      }
      // Only what an earlier, partial record held back can be left.
      room = RECORD;
    } while (from.hasRemaining() || result.getStatus() == SSLEngineResult.Status.BUFFER_OVERFLOW);
  }

  /** Does what the engine asks for; true where nothing more is to be read. */
  private boolean followUp(ChannelHandlerContext context, SSLEngineResult result)
      throws SSLException {
    switch (result.getHandshakeStatus()) {
      case NEED_WRAP -> {
        encrypt(context, Unpooled.EMPTY_BUFFER);
        context.flush();
      }
      case NEED_TASK -> {
        for (Runnable task = engine.getDelegatedTask();
            task != null;
            task = engine.getDelegatedTask()) {
          task.run();
        }
      }
      case NOT_HANDSHAKING, FINISHED, NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {}
    }
    if (result.getStatus() == SSLEngineResult.Status.CLOSED) {
      // The peer has said its last word, and HTTP/2 is of no use in one direction.
      context.channel().close();
      return true;
    }
    return result.bytesConsumed() == 0 && result.bytesProduced() == 0;
  }

  // -- what goes

  @Override
  public void write(ChannelHandlerContext context, Object message, ChannelPromise promise)
      throws SSLException {
    ByteBuf data = (ByteBuf) message;
    if (data.isReadable() && !closing) {
      queue.add(data);
    } else {
      data.release();
    }
    if (!promise.isVoid()) {
      // Who waits for this write waits for all before it.
      encryptQueued(context);
      context.write(Unpooled.EMPTY_BUFFER, promise);
    }
  }

  @Override
  public void flush(ChannelHandlerContext context) throws SSLException {
    encryptQueued(context);
    context.flush();
  }

  private void encryptQueued(ChannelHandlerContext context) throws SSLException {
    ByteBuf gathered = null;
    for (ByteBuf next = queue.poll(); next != null; next = queue.poll()) {
      int length = next.readableBytes();
      boolean alone = length > SMALL || (gathered == null && queue.isEmpty());
      if (gathered != null && (alone || gathered.writableBytes() < length)) {
        encrypt(context, gathered);
        gathered = null;
      }
      if (alone) {
        encrypt(context, next);
      } else {
        if (gathered == null) {
          gathered = context.alloc().directBuffer(RECORD, RECORD);
        }
        gathered.writeBytes(next);
        next.release();
      }
    }
    if (gathered != null) {
      encrypt(context, gathered);
    }
  }

  /** Writes {@code data} as records, and releases it. */
  private void encrypt(ChannelHandlerContext context, ByteBuf data) throws SSLException {
    @Nullable ByteBuf out = null;
    try {
      int length = data.readableBytes();
      int records = (length + RECORD - 1) / RECORD + 1;
      int room = length + records * RECORD_OVERHEAD;
      ByteBuffer from = view(data);
      SSLEngineResult result;
      do {
        out = context.alloc().directBuffer(room, room);
        ByteBuffer to = out.internalNioBuffer(0, room);
        int produced = 0;
        do {
          result = engine.wrap(from, to);
          produced += result.bytesProduced();
        } while (result.getStatus() == SSLEngineResult.Status.OK
            && from.hasRemaining()
            && result.bytesProduced() > 0);
        out.writerIndex(produced);
        ByteBuf full = out;
        out = null;
        if (full.isReadable()) {
          context.write(full, context.voidPromise());
        } else {
          full.release();
        }
        room = from.remaining() + RECORD;
      } while (result.getStatus() == SSLEngineResult.Status.BUFFER_OVERFLOW);
      if (from.hasRemaining() && result.getStatus() == SSLEngineResult.Status.OK) {
        throw new SSLException("the TLS engine takes no more data");
      }
    } finally {
      data.release();
      if (out != null) {
        out.release();
      }
    }
  }

  private static ByteBuffer view(ByteBuf data) {
    int length = data.readableBytes();
    return data.nioBufferCount() == 1 && length > 0
        ? data.internalNioBuffer(data.readerIndex(), length)
        : data.nioBuffer();
  }

  @Override
  public void close(ChannelHandlerContext context, ChannelPromise promise) throws SSLException {
    if (!closing) {
      closing = true;
      try {
        if (context.channel().isActive()) {
          encryptQueued(context);
          engine.closeOutbound();
          encrypt(context, Unpooled.EMPTY_BUFFER);
          context.flush();
        }
      } finally {
        context.close(promise);
      }
    } else {
      context.close(promise);
    }
  }
}
