package dev.ambit.ztunnel.proxy;

import io.netty.channel.IoEvent;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoOps;
import io.netty.channel.IoRegistration;
import io.netty.channel.epoll.EpollIoHandle;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollIoOps;
import io.netty.channel.unix.FileDescriptor;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Netty's epoll as a proxy needs it, whose sockets come and go.
 *
 * <p>Netty 4.2.18 tells the kernel of each change of what a socket waits for: four and eight calls
 * for a connection that asks once. Here a turn of the event loop ends with one call for each socket
 * whose interest is another than before, and none for a socket that was closed in it.
 *
 * <p>It takes a descriptor whose interest becomes empty out of epoll, but goes on modifying it as
 * if it were still in: {@code ENOENT}, and the channel is closed with what it still had to write. A
 * channel whose peer has ended its direction gets there. Here it stays in, edge triggered, so that
 * {@code EPOLLHUP}, which cannot be refused, comes once.
 *
 * <p>It finds the channel of an event by its descriptor's number. Where one batch of events closes
 * a socket and opens another, the kernel gives the number again, and what the batch still has for
 * the old socket goes to the new one: a connection that is being made is taken for one whose peer
 * has finished. A channel can have no events in the batch in which it is registered, so those are
 * dropped.
 */
public final class ProxyEpoll implements IoHandler {
  private static final Logger log = LoggerFactory.getLogger(ProxyEpoll.class);

  private final IoHandler epoll;
  private final ArrayDeque<Registration> changed = new ArrayDeque<>();

  /** The number of the batch that is handled now, or was last. */
  private long batch;

  private ProxyEpoll(IoHandler epoll) {
    this.epoll = epoll;
  }

  /** For the event loops on which sockets come and go. */
  public static IoHandlerFactory factory() {
    IoHandlerFactory epoll = EpollIoHandler.newFactory();
    return executor -> new ProxyEpoll(epoll.newHandler(executor));
  }

  @Override
  public void initialize() {
    epoll.initialize();
  }

  @Override
  public int run(IoHandlerContext context) {
    batch++;
    Registration registration;
    while ((registration = changed.poll()) != null) {
      registration.tell();
    }
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
    EpollIoHandle fresh = new Fresh((EpollIoHandle) handle, batch);
    return new Registration(fresh, epoll.register(fresh));
  }

  @Override
  public void wakeup() {
    epoll.wakeup();
  }

  @Override
  public boolean isCompatible(Class<? extends IoHandle> handleType) {
    return epoll.isCompatible(handleType);
  }

  /** What a channel waits for, and what the kernel knows of it. */
  private final class Registration implements IoRegistration {
    private final EpollIoHandle handle;
    private final IoRegistration registration;
    private EpollIoOps wanted = EpollIoOps.NONE;
    private EpollIoOps told = EpollIoOps.NONE;
    private boolean waiting;

    Registration(EpollIoHandle handle, IoRegistration registration) {
      this.handle = handle;
      this.registration = registration;
    }

    @Override
    public long submit(IoOps ops) {
      if (!isValid()) {
        return -1;
      }
      wanted = (EpollIoOps) ops;
      if (!waiting) {
        waiting = true;
        changed.add(this);
      }
      return wanted.value();
    }

    private void tell() {
      waiting = false;
      boolean empty = wanted.equals(EpollIoOps.NONE) && !told.equals(EpollIoOps.NONE);
      EpollIoOps next = empty ? EpollIoOps.EPOLLET : wanted;
      if (next.equals(told) || !isValid()) {
        return;
      }
      told = next;
      try {
        registration.submit(next);
      } catch (UncheckedIOException e) {
        log.atWarn()
            .addKeyValue("reason", e.getMessage())
            .log("the kernel refuses to watch a socket, which is closed");
        close();
      }
    }

    private void close() {
      try {
        handle.close();
      } catch (Exception e) {
        throw new IllegalStateException("cannot close a socket", e);
      }
    }

    @Override
    public <T> T attachment() {
      return registration.attachment();
    }

    @Override
    public boolean isValid() {
      return registration.isValid();
    }

    @Override
    public boolean cancel() {
      return registration.cancel();
    }
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
