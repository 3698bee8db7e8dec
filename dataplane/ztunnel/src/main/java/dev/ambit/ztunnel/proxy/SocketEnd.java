package dev.ambit.ztunnel.proxy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.unix.Errors;
import java.nio.channels.ClosedChannelException;

/** A relay's end that is a TCP socket. */
final class SocketEnd extends RelayEnd {
  private final EpollSocketChannel channel;
  private boolean closing;

  SocketEnd(ProxiedConnection connection, EpollSocketChannel channel) {
    super(connection);
    this.channel = channel;
    channel.pipeline().addLast(new Events());
  }

  EpollSocketChannel channel() {
    return channel;
  }

  @Override
  void write(ByteBuf data) {
    ChannelOutboundBuffer pending = channel.unsafe().outboundBuffer();
    boolean stalled = pending != null && !pending.isEmpty();
    channel.write(stalled ? compact(data) : data, channel.voidPromise());
  }

  /**
   * What has to wait for the application must not keep the memory of a whole read with it, of which
   * it is a small part: a caller could have any amount kept like that.
   */
  private ByteBuf compact(ByteBuf data) {
    ByteBuf root = data;
    while (root.unwrap() != null) {
      root = root.unwrap();
    }
    int length = data.readableBytes();
    if (length == 0 || length > root.capacity() / 2) {
      return data;
    }
    ByteBuf copy = channel.alloc().directBuffer(length, length);
    copy.writeBytes(data);
    data.release();
    return copy;
  }

  @Override
  void flush() {
    channel.flush();
  }

  @Override
  boolean isWritable() {
    return channel.isWritable();
  }

  @Override
  void throttle(boolean otherWritable) {
    if (!otherWritable) {
      channel.config().setAutoRead(false);
    }
  }

  @Override
  void resumeReading() {
    // Never after the end of input: a read would add events to a descriptor that has none left.
    if (!isInputEnded() && channel.isActive()) {
      channel.config().setAutoRead(true);
    }
  }

  @Override
  void end() {
    afterWrites(
        () -> {
          if (!isInputEnded() && channel.isOpen()) {
            channel
                .shutdownOutput()
                .addListener(
                    shutdown -> {
                      if (shutdown.isSuccess()) {
                        // The end of input is then the socket's, and Netty closes it at once. Else
                        // it would shut down input that the kernel has shut down already, which
                        // fails, with an exception made for each connection.
                        channel.config().setAllowHalfClosure(false);
                      } else {
                        channel.close();
                      }
                    });
          }
        });
  }

  /** Closes the socket once all that was written is out; both directions have ended. */
  void closeAfterWrites() {
    if (!closing) {
      closing = true;
      afterWrites(channel::close);
    }
  }

  private void afterWrites(Runnable action) {
    ChannelOutboundBuffer pending = channel.unsafe().outboundBuffer();
    if (pending == null || pending.isEmpty()) {
      action.run();
    } else {
      channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> action.run());
    }
  }

  @Override
  void reset() {
    if (!channel.isOpen()) {
      return;
    }
    try {
      channel.config().setSoLinger(0); // close then sends RST
    } catch (ChannelException e) {
      // The socket is already broken: closing it is all that is left to do.
      channel.close();
      return;
    }
    channel.close();
  }

  @Override
  boolean isFinished() {
    return !channel.isOpen();
  }

  private final class Events extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      onRead((ByteBuf) message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      onReadComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      if (channel.isWritable()) {
        onOutputWritable();
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event == ChannelInputShutdownEvent.INSTANCE) {
        onInputEnd();
      }
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      if (!closing && !channel.config().isAllowHalfClosure()) {
        onInputEnd();
      }
      connection().onSocketClosed(SocketEnd.this);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      // Also where a write fails: writes carry no promises of their own.
      if (isPeersDoing(cause)) {
        connection().onReset(SocketEnd.this);
      } else {
        connection().onBroken(SocketEnd.this, cause);
      }
    }

    private static boolean isPeersDoing(Throwable cause) {
      return cause instanceof ClosedChannelException
          || (cause instanceof Errors.NativeIoException failure
              && (failure.expectedErr() == Errors.ERRNO_ECONNRESET_NEGATIVE
                  || failure.expectedErr() == Errors.ERRNO_EPIPE_NEGATIVE));
    }
  }
}
