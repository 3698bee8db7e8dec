package dev.ambit.ztunnel.proxy;

import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.FileDescriptor;

/**
 * Netty's epoll without the events of a descriptor's former owner.
 *
 * <p>Netty 4.2.18 finds the channel of an event by its descriptor's number. Where one batch of
 * events closes a socket and opens another, the kernel gives the number again, and what the batch
 * still has for the old socket goes to the new one: a connection that is being made is taken for
 * one whose peer has finished, or one that is not read yet is taken out of epoll. A channel can
 * have no events in the batch in which it is registered, so those are dropped.
 */
public final class FreshDescriptors implements IoHandler {
  private final IoHandler epoll;

  /** The number of the batch that is handled now, or was last. */
  private long batch;

  private FreshDescriptors(IoHandler epoll) {
    this.epoll = epoll;
  }

  /** For the event loops on which sockets come and go. */
  public static IoHandlerFactory factory() {
    IoHandlerFactory epoll = EpollIoHandler.newFactory();
    return executor -> new FreshDescriptors(epoll.newHandler(executor));
  }

  @Override
  public void initialize() {
    epoll.initialize();
  }

  @Override
  public int run(IoHandlerContext context) {
    batch++;
    return epoll.run(context);
  }

  @Override
  public void prepareToDestroy() {
    epoll.prepareToDestroy();
  }

  @Override
  public void destroy() {
    epoll.destroy();
  }

  @Override
  public IoRegistration register(IoHandle handle) throws Exception {
    return epoll.register(new Fresh((EpollIoHandle) handle, batch));
  }

  @Override
  public void wakeup() {
    epoll.wakeup();
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> handleType) {
    return epoll.isCompatible(handleType);
  }

  /** A channel's side of its registration. */
  private final class Fresh implements EpollIoHandle {
    private final EpollIoHandle handle;
    private final long registeredIn;

    Fresh(EpollIoHandle handle, long registeredIn) {
      this.handle = handle;
      this.registeredIn = registeredIn;
    }

    @Override
    public FileDescriptor fd() {
      return handle.fd();
    }

    @Override
    public void handle(IoRegistration registration, IoEvent event) {
      if (batch != registeredIn) {
        handle.handle(registration, event);
      }
    }

    @Override
    public void registered() {
      handle.registered();
    }

    @Override
    public void unregistered() {
      handle.unregistered();
    }

    @Override
    public void close() throws Exception {
      handle.close();
    }
  }
}
