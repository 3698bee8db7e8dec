package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.TransparentUdpSocket;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEvent;
import io.netty.channel.IoEventLoop;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A UDP socket on an event loop, which says when there is something to be read from it. */
final class FlowSocket implements EpollIoHandle {
  private final TransparentUdpSocket socket;
  private final FileDescriptor descriptor;
  private final Consumer<FlowSocket> onReadable;
  private @Nullable IoRegistration registration;
  private boolean closed;

  FlowSocket(TransparentUdpSocket socket, Consumer<FlowSocket> onReadable) {
    this.socket = socket;
    this.descriptor = new FileDescriptor(socket.fd());
    this.onReadable = onReadable;
  }

  TransparentUdpSocket socket() {
    return socket;
  }

  /** Begins; on {@code loop}, where all else happens too. */
  void register(EventLoop loop) {
    ((IoEventLoop) loop)
        .register(this)
        .addListener(
            done -> {
              if (!done.isSuccess()) {
                close();
                return;
              }
              IoRegistration registered = (IoRegistration) done.getNow();
              registration = registered;
              if (closed) {
                registered.cancel();
                socket.close();
              } else {
                var unused = registered.submit(EpollIoOps.EPOLLIN);
              }
            });
  }

  @Override
  public FileDescriptor fd() {
    return descriptor;
  }

  @Override
  public void handle(IoRegistration from, IoEvent event) {
    if (!closed) {
      onReadable.accept(this);
    }
  }

  boolean isClosed() {
    return closed;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    IoRegistration registered = registration;
    if (registered != null) {
      registered.cancel();
      socket.close();
    }
  }
}
