package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.ConnectionTracking;
import dev.ambit.ztunnel.dns.DatagramServer;
import dev.ambit.ztunnel.dns.DnsPod;
import dev.ambit.ztunnel.dns.DnsProxy;
import dev.ambit.ztunnel.dns.PodDns;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** The DNS proxy of a pod, with the pod's sockets and among its other listeners. */
final class DnsListener implements DnsPod {
  private final LocalPod localPod;
  private final PodSockets sockets;
  private final MeshState state;
  private final PodDns dns;
  private volatile @Nullable DatagramServer datagrams;

  /** While the pod is not known yet, one wait for it is enough. */
  private volatile @Nullable CompletableFuture<MeshWorkload> lastAsked;

  DnsListener(DnsProxy proxy, LocalPod localPod, PodSockets sockets, MeshState state) {
    this.localPod = localPod;
    this.sockets = sockets;
    this.state = state;
    this.dns = proxy.of(this);
  }

  /** The addresses for connections. All but the first may be missing in the pod. */
  List<InetSocketAddress> addresses() {
    return dns.settings().listen().stream()
        .map(address -> new InetSocketAddress(address, dns.settings().port()))
        .toList();
  }

  CompletableFuture<Void> bindDatagrams(PodLoop loop) {
    DatagramServer server = dns.datagrams(loop.loop());
    datagrams = server;
    return server
        .bind()
        .thenAccept(
            bound -> {
              Member member = new Member(server);
              loop.addTunnel(member);
              server.closed().thenRun(() -> loop.removeTunnel(member));
            });
  }

  /** Where the pod could not be started. */
  void abandon() {
    DatagramServer server = datagrams;
    if (server != null) {
      server.loop().execute(server::abort);
    }
  }

  /** Where another ztunnel listens beside this one, leaves new questions to it. */
  void yieldToSecond() {
    DatagramServer server = datagrams;
    if (server != null) {
      server.loop().execute(server::yieldToSecond);
    }
  }

  /**
   * Takes a connection to a DNS server. One that the mesh leads through a tunnel, or refuses, is a
   * connection like any other: what guards that server must see it.
   */
  void accept(PodLoop loop, EpollSocketChannel channel) {
    InetSocketAddress server = OriginalDestination.of(channel);
    boolean redirected = !server.getAddress().isLoopbackAddress();
    if (!redirected) {
      serve(loop, channel, null);
      return;
    }
    loop.workload(
        self -> {
          if (state.route(self, server) instanceof OutboundRoute.Plain) {
            serve(loop, channel, server);
          } else {
            OutboundConnection.accept(loop, channel);
          }
        },
        error -> OutboundConnection.accept(loop, channel));
  }

  private void serve(PodLoop loop, EpollSocketChannel channel, @Nullable InetSocketAddress server) {
    Holder holder = new Holder();
    PodDns.Open open =
        dns.serve(
            channel,
            server,
            closed -> {
              Member member = holder.member;
              if (member != null) {
                loop.removeTunnel(member);
              }
            });
    if (open != null) {
      Member member = new Member(open);
      holder.member = member;
      loop.addTunnel(member);
    }
  }

  /** Confined to the event loop. */
  private static final class Holder {
    private @Nullable Member member;
  }

  /** Drains and ends with the pod's tunnels. */
  private record Member(PodDns.Open open) implements PodLoop.Drainable {
    @Override
    public void drain() {
      open.drain();
    }

    @Override
    public void retire() {
      // A pod that terminates asks until its end.
    }

    @Override
    public void abort() {
      open.abort();
    }
  }

  @Override
  public LocalPod pod() {
    return localPod;
  }

  @Override
  public @Nullable MeshWorkload workload() {
    CompletableFuture<MeshWorkload> asked = lastAsked;
    if (asked == null || asked.isDone()) {
      asked = state.local(localPod).toCompletableFuture();
      lastAsked = asked;
    }
    return asked.state() == Future.State.SUCCESS ? asked.resultNow() : null;
  }

  @Override
  public EpollDatagramChannel datagrams(boolean ipv6, boolean shared) {
    return sockets.datagrams(ipv6, shared);
  }

  @Override
  public EpollSocketChannel connection(InetAddress target) {
    return sockets.outgoing(target);
  }

  @Override
  public ConnectionTracking connectionTracking() {
    return sockets.connectionTracking();
  }
}
