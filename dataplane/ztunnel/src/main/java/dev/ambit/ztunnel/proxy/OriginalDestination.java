package dev.ambit.ztunnel.proxy;

import io.netty.channel.ChannelException;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.RawUnixChannelOption;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;

/** Where a redirected connection was going, as the kernel's connection tracking remembers it. */
final class OriginalDestination {
  private static final int SOL_IP = 0;
  private static final int SOL_IPV6 = 41;
  private static final int SO_ORIGINAL_DST = 80;
  private static final int SOCKADDR_IN = 16;
  private static final int SOCKADDR_IN6 = 28;

  private static final RawUnixChannelOption IPV4 =
      new RawUnixChannelOption("SO_ORIGINAL_DST", SOL_IP, SO_ORIGINAL_DST, SOCKADDR_IN);
  private static final RawUnixChannelOption IPV6 =
      new RawUnixChannelOption("IP6T_SO_ORIGINAL_DST", SOL_IPV6, SO_ORIGINAL_DST, SOCKADDR_IN6);

  private OriginalDestination() {}

  /** The destination; the socket's own address where the connection was not redirected. */
  static InetSocketAddress of(EpollSocketChannel channel) {
    InetSocketAddress local = Addresses.plain(channel.localAddress());
    boolean ipv4 = local.getAddress() instanceof Inet4Address;
    try {
      ByteBuffer raw = channel.config().getOption(ipv4 ? IPV4 : IPV6);
      if (raw == null) {
        return local;
      }
      return read(raw, ipv4);
    } catch (ChannelException e) {
      return local; // ENOENT: no address was translated
    }
  }

  /**
   * Reads a {@code sockaddr_in} (family, port, address) or {@code sockaddr_in6} (family, port,
   * flow, address, scope).
   */
  static InetSocketAddress read(ByteBuffer raw, boolean ipv4) {
    int port = raw.getShort(2) & 0xffff;
    byte[] address = new byte[ipv4 ? 4 : 16];
    raw.get(ipv4 ? 4 : 8, address);
    return new InetSocketAddress(Addresses.of(address), port);
  }
}
