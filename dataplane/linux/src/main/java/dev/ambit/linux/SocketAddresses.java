package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;

/** {@code struct sockaddr_in} and {@code struct sockaddr_in6}. */
final class SocketAddresses {
  static final short AF_INET = 2;
  static final short AF_INET6 = 10;
  static final int IPV4_SIZE = 16;
  static final int IPV6_SIZE = 28;

  private static final int PORT = 2;
  private static final int IPV4_ADDRESS = 4;
  private static final int IPV6_ADDRESS = 8;

  private SocketAddresses() {}

  /**
   * One in words, which are compared at once. Those of IPv4 are in the first.
   *
   * @param first family, port, and the address of IPv4
   * @param second first half of the address of IPv6
   * @param third second half of it
   */
  record Words(long first, long second, long third) {
    static Words of(MemorySegment address) {
      boolean ipv4 = address.get(JAVA_SHORT, 0) == AF_INET;
      return new Words(
          address.get(JAVA_LONG, 0),
          ipv4 ? 0 : address.get(JAVA_LONG, IPV6_ADDRESS),
          ipv4 ? 0 : address.get(JAVA_LONG, IPV6_ADDRESS + 8));
    }

    /** Whether the kernel wrote it at {@code offset}. */
    boolean isAt(MemorySegment from, long offset) {
      return from.get(JAVA_LONG, offset) == first
          && (from.get(JAVA_SHORT, offset) == AF_INET
              || (from.get(JAVA_LONG, offset + IPV6_ADDRESS) == second
                  && from.get(JAVA_LONG, offset + IPV6_ADDRESS + 8) == third));
    }
  }

  /** Writes {@code address} to the start of {@code to}; returns how long it is. */
  static int write(MemorySegment to, InetSocketAddress address) {
    InetAddress host = address.getAddress();
    boolean ipv4 = host instanceof Inet4Address;
    int size = ipv4 ? IPV4_SIZE : IPV6_SIZE;
    to.asSlice(0, size).fill((byte) 0);
    to.set(JAVA_SHORT, 0, ipv4 ? AF_INET : AF_INET6);
    to.set(JAVA_BYTE, PORT, (byte) (address.getPort() >>> 8));
    to.set(JAVA_BYTE, PORT + 1, (byte) address.getPort());
    byte[] bytes = host.getAddress();
    MemorySegment.copy(bytes, 0, to, JAVA_BYTE, ipv4 ? IPV4_ADDRESS : IPV6_ADDRESS, bytes.length);
    return size;
  }

  /** Reads what the kernel wrote at {@code offset}. */
  static InetSocketAddress read(MemorySegment from, long offset) {
    boolean ipv4 = from.get(JAVA_SHORT, offset) == AF_INET;
    int port =
        (from.get(JAVA_BYTE, offset + PORT) & 0xff) << 8
            | (from.get(JAVA_BYTE, offset + PORT + 1) & 0xff);
    byte[] bytes = new byte[ipv4 ? 4 : 16];
    MemorySegment.copy(
        from, JAVA_BYTE, offset + (ipv4 ? IPV4_ADDRESS : IPV6_ADDRESS), bytes, 0, bytes.length);
    try {
      return new InetSocketAddress(InetAddress.getByAddress(bytes), port);
    } catch (UnknownHostException e) {
      throw new AssertionError("4 or 16 bytes are an address", e);
    }
  }
}
