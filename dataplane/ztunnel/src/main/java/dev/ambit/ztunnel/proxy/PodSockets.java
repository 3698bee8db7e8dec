package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.ConnectionTracking;
import dev.ambit.linux.LinuxException;
import dev.ambit.linux.LocalAddresses;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.PortUnreachable;
import dev.ambit.linux.TransparentUdpSocket;
import dev.ambit.ztunnel.channel.SocketMark;
import dev.ambit.ztunnel.hbone.HeadroomAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.epoll.EpollSocketChannelConfig;
import io.netty.channel.socket.SocketProtocolFamily;
import io.netty.channel.unix.IntegerUnixChannelOption;
import io.netty.channel.unix.UnixChannelOption;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sockets inside a pod's network namespace. A socket belongs to the namespace that its thread was
 * in when it was made, so the calling event loop enters it for that long: some microseconds.
 */
final class PodSockets {
  private static final Logger log = LoggerFactory.getLogger(PodSockets.class);
  private static final WriteBufferWaterMark APPLICATION_WATERMARK =
      new WriteBufferWaterMark(128 << 10, 256 << 10);
  private static final WriteBufferWaterMark TUNNEL_WATERMARK =
      new WriteBufferWaterMark(256 << 10, 512 << 10);

  private static final int SOL_SOCKET = 1;
  private static final int SO_RCVBUFFORCE = 33;
  private static final IntegerUnixChannelOption RECEIVE_BUFFER =
      new IntegerUnixChannelOption("SO_RCVBUFFORCE", SOL_SOCKET, SO_RCVBUFFORCE);

  private static final int LARGEST_DATAGRAM = 65_535;

  /** For bursts: all sockets of a pod share the one that is bound. */
  private static final int SHARED_RECEIVE_BUFFER = 4 << 20;

  /** What may wait for a flow: some hundred datagrams, or a dozen of the longest. */
  private static final int FLOW_BUFFER = 1 << 20;

  private static final int IPPROTO_TCP = 6;

  /**
   * By which the end of a peer that cannot tell of it is noticed. In the form that a listener takes
   * as well, of which an accepted socket has them.
   */
  private static final Map<IntegerUnixChannelOption, Integer> KEEP_ALIVE =
      Map.of(
          new IntegerUnixChannelOption("SO_KEEPALIVE", SOL_SOCKET, 9), 1,
          new IntegerUnixChannelOption("TCP_KEEPIDLE", IPPROTO_TCP, 4), 180,
          new IntegerUnixChannelOption("TCP_KEEPINTVL", IPPROTO_TCP, 5), 180,
          new IntegerUnixChannelOption("TCP_KEEPCNT", IPPROTO_TCP, 6), 9);

  private final NetworkNamespace namespace;
  private final ProxySettings settings;
  private final boolean own;
  private boolean closed;

  PodSockets(NetworkNamespace namespace, ProxySettings settings) {
    this.namespace = namespace;
    // Entering the own one would be of no use, and takes a capability.
    this.own = namespace.isSame(NetworkNamespace.self());
    this.settings = settings;
  }

  /** The addresses of the pod's interfaces. */
  Set<InetAddress> addresses() {
    return inside(LocalAddresses::read);
  }

  /** A listener's socket, for both families or for IPv4 alone. */
  EpollServerSocketChannel listener(boolean ipv6) {
    SocketProtocolFamily family = ipv6 ? SocketProtocolFamily.INET6 : SocketProtocolFamily.INET;
    EpollServerSocketChannel channel = inside(() -> new EpollServerSocketChannel(family));
    mark(channel);
    keepAlive(channel);
    channel.config().setOption(UnixChannelOption.SO_REUSEPORT, true);
    channel.config().setReuseAddress(true);
    channel.config().setBacklog(settings.backlog());
    return channel;
  }

  /** A socket of its own for a connection of the pod to {@code target}. */
  EpollSocketChannel outgoing(InetAddress target) {
    SocketProtocolFamily family =
        target instanceof Inet4Address ? SocketProtocolFamily.INET : SocketProtocolFamily.INET6;
    EpollSocketChannel channel = inside(() -> new EpollSocketChannel(family));
    mark(channel);
    channel
        .config()
        .setOption(
            ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) settings.connectTimeout().toMillis());
    return channel;
  }

  /**
   * A socket for datagrams.
   *
   * @param shared another ztunnel may be bound to the same address and port
   */
  EpollDatagramChannel datagrams(boolean ipv6, boolean shared) {
    SocketProtocolFamily family = ipv6 ? SocketProtocolFamily.INET6 : SocketProtocolFamily.INET;
    EpollDatagramChannel channel = inside(() -> new EpollDatagramChannel(family));
    mark(channel);
    if (shared) {
      channel.config().setOption(UnixChannelOption.SO_REUSEPORT, true);
      if (settings.mark() != 0) {
        // Both need the same right.
        channel.config().setOption(RECEIVE_BUFFER, SHARED_RECEIVE_BUFFER);
      }
    }
    channel.config().setRecvByteBufAllocator(new FixedRecvByteBufAllocator(LARGEST_DATAGRAM));
    return channel;
  }

  /**
   * A UDP socket for one flow. Where an application of the pod has the port of {@code local} for
   * all addresses, or may have it before long since its own port is the same, the socket only
   * sends: what comes for it is handed over to the listener.
   *
   * @param mark of its packets; 0: none
   * @param local its own address, which may be anybody's; null: the pod's, and any port
   * @param peer whose datagrams it gets
   */
  TransparentUdpSocket flow(int mark, @Nullable InetSocketAddress local, InetSocketAddress peer)
      throws LinuxException {
    if (local != null && local.getPort() == peer.getPort()) {
      // Else an application that starts again could not bind its socket while the flow is there.
      return sender(mark, local, peer);
    }
    TransparentUdpSocket socket = udp(peer.getAddress() instanceof Inet6Address, mark);
    try {
      socket.buffers(FLOW_BUFFER);
      if (local != null) {
        socket.bind(local);
        socket.segment(true); // In a peer's name, so to an application of the pod.
      }
      socket.connect(peer);
      return socket;
    } catch (LinuxException e) {
      socket.close();
      if (local != null && e.isAddressInUse()) {
        return sender(mark, local, peer);
      }
      throw e;
    }
  }

  private TransparentUdpSocket sender(int mark, InetSocketAddress local, InetSocketAddress peer)
      throws LinuxException {
    return udp(() -> TransparentUdpSocket.sender(local, peer, mark));
  }

  /** A UDP socket that datagrams of new flows are handed over to. */
  TransparentUdpSocket flowListener(boolean ipv6, int port, int buffer) throws LinuxException {
    TransparentUdpSocket socket = udp(ipv6, settings.mark());
    try {
      socket.share();
      socket.tellDestinations();
      socket.buffers(buffer);
      socket.bind(new InetSocketAddress(Addresses.of(new byte[ipv6 ? 16 : 4]), port));
      return socket;
    } catch (LinuxException e) {
      socket.close();
      throw e;
    }
  }

  private TransparentUdpSocket udp(boolean ipv6, int mark) throws LinuxException {
    return udp(() -> TransparentUdpSocket.open(ipv6, mark));
  }

  private TransparentUdpSocket udp(Callable<TransparentUdpSocket> open) throws LinuxException {
    try {
      return inside(open);
    } catch (ChannelException e) {
      if (e.getCause() instanceof LinuxException cause) {
        throw cause;
      }
      throw e;
    }
  }

  /** Tells an application of the pod that its datagrams to {@code target} find nobody. */
  void portUnreachable(InetSocketAddress application, InetSocketAddress target, int mark) {
    try {
      inside(
          () -> {
            PortUnreachable.send(application, target, mark);
            return null;
          });
    } catch (ChannelException e) {
      // It then finds out as it would of a packet that got lost.
      log.atDebug()
          .addKeyValue("netns", namespace)
          .addKeyValue("reason", String.valueOf(e.getCause()))
          .log("cannot tell an application that nobody is at a port");
    }
  }

  /** The namespace, once more; the caller's to close. */
  NetworkNamespace duplicate() throws LinuxException {
    return NetworkNamespace.open("/proc/self/fd/" + namespace.fd());
  }

  /** What the kernel remembers of datagrams that were redirected in the pod. */
  ConnectionTracking connectionTracking() {
    return inside(ConnectionTracking::open);
  }

  private void mark(Channel channel) {
    if (settings.mark() != 0) {
      channel.config().setOption(SocketMark.OPTION, settings.mark());
    }
  }

  /** Lets the socket be bound to an address that is not this host's: the caller's. */
  static void allowForeignSource(EpollSocketChannel channel) {
    channel.config().setOption(EpollChannelOption.IP_TRANSPARENT, true);
    // The port is chosen at connect, per destination: no exhaustion by binding.
    channel.config().setOption(EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true);
  }

  /** Options of a socket whose bytes are an application's. */
  static void configureApplication(EpollSocketChannel channel) {
    EpollSocketChannelConfig config = channel.config();
    config.setAllowHalfClosure(true);
    config.setRecvByteBufAllocator(HeadroomAllocator.forApplication());
    config.setWriteBufferWaterMark(APPLICATION_WATERMARK);
  }

  /** Has the kernel ask now and then whether the peer is still there. */
  static void keepAlive(Channel channel) {
    KEEP_ALIVE.forEach(channel.config()::setOption);
  }

  /** Options of a socket that carries a tunnel. */
  static void configureTunnel(EpollSocketChannel channel) {
    keepAlive(channel);
    EpollSocketChannelConfig config = channel.config();
    config.setRecvByteBufAllocator(HeadroomAllocator.forTunnel());
    config.setWriteBufferWaterMark(TUNNEL_WATERMARK);
  }

  /** Ends; no sockets can be made any more. */
  synchronized void close() {
    closed = true;
    namespace.close();
  }

  /**
   * Under the lock, which is held for microseconds, because a descriptor's number is used again: a
   * socket must never be made in the namespace of another pod that came after this one.
   */
  private synchronized <T> T inside(Callable<T> work) {
    if (closed) {
      throw new ChannelException("the pod of network namespace " + namespace + " is gone");
    }
    try {
      return own ? work.call() : namespace.call(work);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new ChannelException("cannot open a socket in network namespace " + namespace, e);
    }
  }
}
