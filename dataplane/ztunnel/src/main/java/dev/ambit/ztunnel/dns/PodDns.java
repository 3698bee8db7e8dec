package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.telemetry.DnsTelemetry.Counts;
import dev.ambit.ztunnel.telemetry.DnsTelemetry.Protocol;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The DNS proxy of one pod. */
public final class PodDns {
  /** Something that is open; for use on its event loop. */
  public interface Open {
    /** Takes nothing new, and closes when what is under way is done. */
    void drain();

    /** Closes at once. */
    void abort();
  }

  private final DnsProxy proxy;
  private final DnsPod pod;
  private final AtomicInteger connections = new AtomicInteger();

  PodDns(DnsProxy proxy, DnsPod pod) {
    this.proxy = proxy;
    this.pod = pod;
  }

  DnsProxy proxy() {
    return proxy;
  }

  DnsPod pod() {
    return pod;
  }

  public DnsSettings settings() {
    return proxy.settings();
  }

  /** The server for questions over UDP, to be bound. */
  public DatagramServer datagrams(EventLoop loop) {
    return new DatagramServer(this, loop);
  }

  /**
   * Serves a connection that was accepted, on its event loop.
   *
   * @param server whom the pod had connected to; null where that is not known
   * @param onClosed called on the event loop once it is closed
   * @return null where the pod has too many, and the connection was closed
   */
  public @Nullable Open serve(
      EpollSocketChannel channel, @Nullable InetSocketAddress server, Consumer<Open> onClosed) {
    if (connections.incrementAndGet() > settings().maxConnections()) {
      connections.decrementAndGet();
      proxy.telemetry().dropped();
      channel.close();
      return null;
    }
    channel.closeFuture().addListener(closed -> connections.decrementAndGet());
    return new StreamConnection(this, channel, server, onClosed);
  }

  Counts counts(int type, Protocol protocol) {
    return proxy.telemetry().counts(type, protocol, pod.workload());
  }
}
