package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * A UDP socket that can have any address as its own ({@code IP_TRANSPARENT}), and never blocks. It
 * belongs to the network namespace that the calling thread was in when it was made. For one thread
 * at a time.
 */
public final class TransparentUdpSocket implements AutoCloseable {
  private static final int SOCK_DGRAM = 2;
  private static final int SOCK_RAW = 3;
  private static final int SOCK_NONBLOCK = 0x800;
  private static final int SOCK_CLOEXEC = 0x80000;

  private static final int IPPROTO_UDP = 17;

  private static final int SOL_IP = 0;
  private static final int SOL_SOCKET = 1;
  private static final int SOL_IPV6 = 41;
  private static final int SOL_RAW = 255;
  private static final int SO_REUSEADDR = 2;
  private static final int SO_REUSEPORT = 15;
  private static final int SO_ATTACH_FILTER = 26;
  private static final int SO_SNDBUFFORCE = 32;
  private static final int SO_RCVBUFFORCE = 33;
  private static final int SO_MARK = 36;
  private static final int IP_TRANSPARENT = 19;
  private static final int IP_RECVORIGDSTADDR = 20;
  private static final int IPV6_V6ONLY = 26;
  private static final int IPV6_CHECKSUM = 7;
  private static final int IPV6_RECVORIGDSTADDR = 74;
  private static final int IPV6_TRANSPARENT = 75;

  private static final MethodHandle SOCKET =
      Libc.handle("socket", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle BIND =
      Libc.handle("bind", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle CONNECT =
      Libc.handle("connect", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SETSOCKOPT =
      Libc.handle(
          "setsockopt",
          -1,
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));

  private final int fd;
  private final boolean ipv6;
  private final @Nullable Ports ports;
  private @Nullable InetSocketAddress local;
  private SocketAddresses.@Nullable Words peer;
  private boolean segments;
  private boolean closed;

  /** What its datagrams have in their heads, where the kernel does not write those. */
  record Ports(int source, int destination) {}

  private TransparentUdpSocket(int fd, boolean ipv6, @Nullable Ports ports) {
    this.fd = fd;
    this.ipv6 = ipv6;
    this.ports = ports;
  }

  /**
   * Makes a socket of one address family. Several may be bound to the same address and port: of
   * those that are connected, each gets what comes from its own peer.
   *
   * @param mark of the packets that it sends; 0: none
   */
  public static TransparentUdpSocket open(boolean ipv6, int mark) throws LinuxException {
    return open(ipv6, mark, SOCK_DGRAM, 0, null);
  }

  /**
   * A socket that sends in the name of {@code source} though another one has that address and port,
   * as one that is bound to all addresses. It receives nothing. Needs CAP_NET_RAW.
   *
   * @param mark of the packets that it sends; 0: none
   */
  public static TransparentUdpSocket sender(
      InetSocketAddress source, InetSocketAddress destination, int mark) throws LinuxException {
    boolean ipv6 = source.getAddress() instanceof Inet6Address;
    var socket =
        open(ipv6, mark, SOCK_RAW, IPPROTO_UDP, new Ports(source.getPort(), destination.getPort()));
    try {
      socket.refuseAll();
      if (ipv6) {
        // Where in the head it is. Over IPv4 a datagram needs none.
        socket.option("IPV6_CHECKSUM", SOL_RAW, IPV6_CHECKSUM, 6);
      }
      socket.bind(new InetSocketAddress(source.getAddress(), 0));
      socket.connect(new InetSocketAddress(destination.getAddress(), 0));
      return socket;
    } catch (LinuxException e) {
      socket.close();
      throw e;
    }
  }

  private static TransparentUdpSocket open(
      boolean ipv6, int mark, int type, int protocol, @Nullable Ports ports) throws LinuxException {
    int fd;
    try {
      fd =
          Libc.check(
              "socket",
              (int)
                  SOCKET.invokeExact(
                      Libc.state(),
                      (int) (ipv6 ? SocketAddresses.AF_INET6 : SocketAddresses.AF_INET),
                      type | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      protocol));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
    var socket = new TransparentUdpSocket(fd, ipv6, ports);
    try {
      socket.option("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1);
      if (ipv6) {
        if (ports == null) {
          socket.option("IPV6_V6ONLY", SOL_IPV6, IPV6_V6ONLY, 1);
        }
        socket.option("IPV6_TRANSPARENT", SOL_IPV6, IPV6_TRANSPARENT, 1);
      } else {
        socket.option("IP_TRANSPARENT", SOL_IP, IP_TRANSPARENT, 1);
      }
      if (mark != 0) {
        socket.option("SO_MARK", SOL_SOCKET, SO_MARK, mark);
      }
      return socket;
    } catch (LinuxException e) {
      socket.close();
      throw e;
    }
  }

  /** Has received datagrams tell where they were going: see {@link DatagramBatch}. */
  public void tellDestinations() throws LinuxException {
    if (ipv6) {
      option("IPV6_RECVORIGDSTADDR", SOL_IPV6, IPV6_RECVORIGDSTADDR, 1);
    } else {
      option("IP_RECVORIGDSTADDR", SOL_IP, IP_RECVORIGDSTADDR, 1);
    }
  }

  /** Lets other sockets be bound beside it, among which the kernel spreads senders. */
  public void share() throws LinuxException {
    option("SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1);
  }

  /**
   * How many bytes may wait to be read, and to be sent, whatever the system's limit; as the kernel
   * counts them, which is some hundred more for each datagram.
   */
  public void buffers(int bytes) throws LinuxException {
    option("SO_RCVBUFFORCE", SOL_SOCKET, SO_RCVBUFFORCE, bytes);
    option("SO_SNDBUFFORCE", SOL_SOCKET, SO_SNDBUFFORCE, bytes);
  }

  /**
   * Whether datagrams of one length that are sent at once may go as one packet up to where they are
   * received, which has to be within this network namespace: elsewhere they would have to fit.
   */
  public void segment(boolean may) {
    segments = may;
  }

  boolean segments() {
    return segments;
  }

  @Nullable Ports ports() {
    return ports;
  }

  /** Gives it an address, which need not be this host's. */
  public void bind(InetSocketAddress address) throws LinuxException {
    var unused = addressed("bind", BIND, address);
    local = address;
  }

  /** What it is bound to; null where that was left to the kernel. */
  public @Nullable InetSocketAddress local() {
    return local;
  }

  /**
   * From now on it sends to {@code peer}, and gets its datagrams alone, after those that came
   * before: see {@link DatagramBatch#isFromPeer}.
   */
  public void connect(InetSocketAddress peer) throws LinuxException {
    this.peer = addressed("connect", CONNECT, peer);
  }

  SocketAddresses.@Nullable Words peer() {
    return peer;
  }

  private SocketAddresses.Words addressed(
      String call, MethodHandle handle, InetSocketAddress address) throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(SocketAddresses.IPV6_SIZE, 8);
      int size = SocketAddresses.write(memory, address);
      Libc.check(call + " " + address, (int) handle.invokeExact(Libc.state(), fd, memory, size));
      return SocketAddresses.Words.of(memory);
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  /** Else a raw socket gets a copy of each datagram that its peer sends to anybody here. */
  private void refuseAll() throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      // One instruction of classic BPF, "return 0", and struct sock_fprog.
      var filter = arena.allocate(8, 8);
      filter.set(JAVA_SHORT, 0, (short) 6);
      var program = arena.allocate(16, 8);
      program.set(JAVA_SHORT, 0, (short) 1);
      program.set(ADDRESS, 8, filter);
      Libc.check(
          "setsockopt SO_ATTACH_FILTER",
          (int)
              SETSOCKOPT.invokeExact(Libc.state(), fd, SOL_SOCKET, SO_ATTACH_FILTER, program, 16));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  private void option(String name, int level, int option, int value) throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocateFrom(JAVA_INT, value);
      Libc.check(
          "setsockopt " + name,
          (int) SETSOCKOPT.invokeExact(Libc.state(), fd, level, option, memory, 4));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  /** The descriptor, for an event loop. */
  public int fd() {
    return fd;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Libc.close(fd);
    }
  }
}
