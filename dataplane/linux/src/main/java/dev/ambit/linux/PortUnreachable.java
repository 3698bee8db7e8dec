package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.Inet4Address;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;

/**
 * The ICMP message that a host answers a datagram with to a port where nobody is (RFC 792, RFC
 * 4443): whoever sent the datagram over a connected socket gets ECONNREFUSED.
 */
public final class PortUnreachable {
  private static final int SOCK_RAW = 3;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int IPPROTO_ICMP = 1;
  private static final int IPPROTO_UDP = 17;
  private static final int IPPROTO_ICMPV6 = 58;
  private static final int SOL_SOCKET = 1;
  private static final int SO_MARK = 36;
  private static final int IP_TRANSPARENT = 19;
  private static final int IPV6_TRANSPARENT = 75;
  private static final int SOL_IPV6 = 41;
  private static final int ICMP_HEADER = 8;
  private static final int IPV4_HEADER = 20;
  private static final int IPV6_HEADER = 40;
  private static final int UDP_HEADER = 8;
  private static final byte HOPS = 64;

  private static final MethodHandle SOCKET =
      Libc.handle("socket", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle BIND =
      Libc.handle("bind", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SETSOCKOPT =
      Libc.handle(
          "setsockopt",
          -1,
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SENDTO =
      Libc.handle(
          "sendto",
          -1,
          FunctionDescriptor.of(
              JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));

  private PortUnreachable() {}

  /**
   * Tells {@code sender}, who is in the calling thread's network namespace, that its datagrams to
   * {@code target} find nobody. Needs CAP_NET_RAW.
   *
   * @param mark of the message's packet; 0: none
   */
  public static void send(InetSocketAddress sender, InetSocketAddress target, int mark)
      throws LinuxException {
    boolean ipv4 = sender.getAddress() instanceof Inet4Address;
    try (var arena = Arena.ofConfined()) {
      int fd =
          Libc.check(
              "socket",
              (int)
                  SOCKET.invokeExact(
                      Libc.state(),
                      (int) (ipv4 ? SocketAddresses.AF_INET : SocketAddresses.AF_INET6),
                      SOCK_RAW | SOCK_CLOEXEC,
                      ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6));
      try {
        option(arena, fd, ipv4 ? 0 : SOL_IPV6, ipv4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, 1);
        if (mark != 0) {
          option(arena, fd, SOL_SOCKET, SO_MARK, mark);
        }
        var address = arena.allocate(SocketAddresses.IPV6_SIZE, 8);
        int size = SocketAddresses.write(address, new InetSocketAddress(target.getAddress(), 0));
        Libc.check("bind", (int) BIND.invokeExact(Libc.state(), fd, address, size));
        SocketAddresses.write(address, new InetSocketAddress(sender.getAddress(), 0));
        byte[] message = message(sender, target, ipv4);
        MemorySegment memory = arena.allocateFrom(JAVA_BYTE, message);
        long sent =
            (long)
                SENDTO.invokeExact(
                    Libc.state(), fd, memory, (long) message.length, 0, address, size);
        Libc.check("sendto", (int) sent);
      } finally {
        Libc.close(fd);
      }
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  private static void option(Arena arena, int fd, int level, int option, int value)
      throws LinuxException {
    try {
      var memory = arena.allocateFrom(JAVA_INT, value);
      Libc.check(
          "setsockopt", (int) SETSOCKOPT.invokeExact(Libc.state(), fd, level, option, memory, 4));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  /** The message, with the heads of a datagram that it could be about. */
  private static byte[] message(InetSocketAddress sender, InetSocketAddress target, boolean ipv4) {
    int head = ipv4 ? IPV4_HEADER : IPV6_HEADER;
    var message = ByteBuffer.allocate(ICMP_HEADER + head + UDP_HEADER);
    message.put((byte) (ipv4 ? 3 : 1)).put((byte) (ipv4 ? 3 : 4)).putShort((short) 0).putInt(0);
    if (ipv4) {
      message.put((byte) 0x45).put((byte) 0).putShort((short) (IPV4_HEADER + UDP_HEADER));
      message.putInt(0).put(HOPS).put((byte) IPPROTO_UDP).putShort((short) 0);
    } else {
      message.putInt(0x6000_0000).putShort((short) UDP_HEADER);
      message.put((byte) IPPROTO_UDP).put(HOPS);
    }
    message.put(sender.getAddress().getAddress()).put(target.getAddress().getAddress());
    message.putShort((short) sender.getPort()).putShort((short) target.getPort());
    message.putShort((short) UDP_HEADER).putShort((short) 0);
    byte[] bytes = message.array();
    if (ipv4) {
      message.putShort(ICMP_HEADER + 10, checksum(bytes, ICMP_HEADER, ICMP_HEADER + IPV4_HEADER));
      // Of ICMPv6 the kernel computes it.
      message.putShort(2, checksum(bytes, 0, bytes.length));
    }
    return bytes;
  }

  /** RFC 1071. */
  private static short checksum(byte[] bytes, int from, int to) {
    int sum = 0;
    for (int i = from; i < to; i += 2) {
      sum += (bytes[i] & 0xff) << 8 | (bytes[i + 1] & 0xff);
    }
    while (sum >>> 16 != 0) {
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    return (short) ~sum;
  }
}
