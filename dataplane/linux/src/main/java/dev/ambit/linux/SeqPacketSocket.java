package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.channels.AsynchronousCloseException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * A connection of a Unix domain socket that keeps message boundaries ({@code SOCK_SEQPACKET}) and
 * carries file descriptors. Calls block, so they are made on platform threads; {@link #close} from
 * another thread ends them.
 */
public final class SeqPacketSocket implements AutoCloseable {
  private static final int AF_UNIX = 1;
  private static final int SOCK_SEQPACKET = 5;
  private static final int SOCK_CLOEXEC = 0x80000;
  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;
  private static final int MSG_CTRUNC = 0x8;
  private static final int MSG_TRUNC = 0x20;
  private static final int MSG_NOSIGNAL = 0x4000;
  private static final int MSG_CMSG_CLOEXEC = 0x40000000;
  private static final int BACKLOG = 16;

  /** {@code sun_path} with its closing zero. */
  private static final int MAX_PATH = 108;

  // struct msghdr and struct cmsghdr as every 64-bit Linux has them.
  private static final int MSGHDR_SIZE = 56;
  private static final int MSG_IOV = 16;
  private static final int MSG_IOVLEN = 24;
  private static final int MSG_CONTROL = 32;
  private static final int MSG_CONTROLLEN = 40;
  private static final int MSG_FLAGS = 48;
  private static final int CMSG_HEADER = 16;

  /** Room for as many descriptors as the kernel lets through, so that none is lost unseen. */
  private static final int CONTROL_SIZE = 2048;

  private static final MethodHandle SOCKET =
      Libc.handle("socket", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle BIND =
      Libc.handle("bind", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle LISTEN =
      Libc.handle("listen", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle ACCEPT =
      Libc.handle(
          "accept4", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle CONNECT =
      Libc.handle("connect", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle SENDMSG =
      Libc.handle("sendmsg", -1, FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle RECVMSG =
      Libc.handle("recvmsg", -1, FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT));

  private final Descriptor descriptor;

  private SeqPacketSocket(int fd) {
    this.descriptor = new Descriptor(fd);
  }

  /** Connects to the listener at {@code path}. */
  public static SeqPacketSocket connect(Path path) throws IOException {
    int fd = socket();
    try (var arena = Arena.ofConfined()) {
      var address = address(arena, path);
      while ((int) CONNECT.invokeExact(Libc.state(), fd, address, (int) address.byteSize()) < 0) {
        if (Libc.errno() != Libc.EINTR) {
          throw new LinuxException("connect " + path, Libc.errno());
        }
      }
      return new SeqPacketSocket(fd);
    } catch (Throwable t) {
      Libc.close(fd);
      throw ioException(t);
    }
  }

  /** Sends one message. */
  public void send(byte[] message) throws IOException {
    send(message, OptionalInt.empty());
  }

  /** Sends one message together with a duplicate of {@code fd}, which stays the caller's. */
  public void send(byte[] message, int fd) throws IOException {
    send(message, OptionalInt.of(fd));
  }

  private void send(byte[] message, OptionalInt passed) throws IOException {
    if (message.length == 0) {
      throw new IllegalArgumentException("an empty message would read as the end of the stream");
    }
    int fd = descriptor.acquire();
    try (var arena = Arena.ofConfined()) {
      var header = header(arena, arena.allocateFrom(JAVA_BYTE, message));
      if (passed.isPresent()) {
        var control = arena.allocate(CMSG_HEADER + 8, 8);
        control.set(JAVA_LONG, 0, CMSG_HEADER + 4);
        control.set(JAVA_INT, 8, SOL_SOCKET);
        control.set(JAVA_INT, 12, SCM_RIGHTS);
        control.set(JAVA_INT, CMSG_HEADER, passed.getAsInt());
        header.set(ADDRESS, MSG_CONTROL, control);
        header.set(JAVA_LONG, MSG_CONTROLLEN, control.byteSize());
      }
      long sent;
      do {
        sent = (long) SENDMSG.invokeExact(Libc.state(), fd, header, MSG_NOSIGNAL);
      } while (sent < 0 && Libc.errno() == Libc.EINTR);
      if (sent < 0) {
        throw new LinuxException("sendmsg", Libc.errno());
      }
      if (sent != message.length) {
        throw new IOException("sendmsg took " + sent + " of " + message.length + " bytes");
      }
    } catch (Throwable t) {
      throw ioException(t);
    } finally {
      descriptor.release();
    }
  }

  /**
   * Waits for one message of at most {@code maxBytes}. A longer message, or one with more than one
   * descriptor, is an error, and its descriptors are closed.
   *
   * @throws java.nio.channels.ClosedChannelException if this end is or gets closed
   */
  public Packet receive(int maxBytes) throws IOException {
    int fd = descriptor.acquire();
    try (var arena = Arena.ofConfined()) {
      var data = arena.allocate(maxBytes);
      var control = arena.allocate(CONTROL_SIZE, 8);
      var header = header(arena, data);
      header.set(ADDRESS, MSG_CONTROL, control);
      header.set(JAVA_LONG, MSG_CONTROLLEN, control.byteSize());
      long length;
      do {
        length = (long) RECVMSG.invokeExact(Libc.state(), fd, header, MSG_CMSG_CLOEXEC);
      } while (length < 0 && Libc.errno() == Libc.EINTR && !descriptor.isClosed());
      int errno = length < 0 ? Libc.errno() : 0;
      var fds = length < 0 ? List.<Integer>of() : descriptors(header, control);
      if (descriptor.isClosed()) {
        fds.forEach(Libc::close);
        throw new AsynchronousCloseException();
      }
      if (length < 0) {
        throw new LinuxException("recvmsg", errno);
      }
      int flags = header.get(JAVA_INT, MSG_FLAGS);
      if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || fds.size() > 1) {
        fds.forEach(Libc::close);
        throw new IOException(
            fds.size() > 1
                ? "message with " + fds.size() + " descriptors, at most one is allowed"
                : "message longer than " + maxBytes + " bytes or with lost descriptors");
      }
      return new Packet(
          data.asSlice(0, length).toArray(JAVA_BYTE),
          fds.isEmpty() ? OptionalInt.empty() : OptionalInt.of(fds.getFirst()));
    } catch (Throwable t) {
      throw ioException(t);
    } finally {
      descriptor.release();
    }
  }

  @Override
  public void close() {
    descriptor.shutdownAndClose();
  }

  private static List<Integer> descriptors(MemorySegment header, MemorySegment control) {
    var fds = new ArrayList<Integer>();
    long end = header.get(JAVA_LONG, MSG_CONTROLLEN);
    for (long at = 0; at + CMSG_HEADER <= end; ) {
      long length = control.get(JAVA_LONG, at);
      if (length < CMSG_HEADER) {
        break;
      }
      if (control.get(JAVA_INT, at + 8) == SOL_SOCKET
          && control.get(JAVA_INT, at + 12) == SCM_RIGHTS) {
        for (long each = at + CMSG_HEADER; each + 4 <= Math.min(at + length, end); each += 4) {
          fds.add(control.get(JAVA_INT, each));
        }
      }
      at += (length + 7) & ~7L;
    }
    return fds;
  }

  private static MemorySegment header(Arena arena, MemorySegment data) {
    var vector = arena.allocate(16, 8);
    vector.set(ADDRESS, 0, data);
    vector.set(JAVA_LONG, 8, data.byteSize());
    var header = arena.allocate(MSGHDR_SIZE, 8);
    header.set(ADDRESS, MSG_IOV, vector);
    header.set(JAVA_LONG, MSG_IOVLEN, 1);
    return header;
  }

  private static int socket() throws IOException {
    try {
      return Libc.check(
          "socket",
          (int) SOCKET.invokeExact(Libc.state(), AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    } catch (Throwable t) {
      throw ioException(t);
    }
  }

  private static MemorySegment address(Arena arena, Path path) throws IOException {
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    if (name.length >= MAX_PATH) {
      throw new IOException("socket path longer than " + (MAX_PATH - 1) + " bytes: " + path);
    }
    var address = arena.allocate(2 + name.length + 1, 2);
    address.set(JAVA_SHORT, 0, (short) AF_UNIX);
    MemorySegment.copy(name, 0, address, JAVA_BYTE, 2, name.length);
    return address;
  }

  private static IOException ioException(Throwable t) {
    return t instanceof IOException e ? e : Libc.sneaky(t);
  }

  /** A listening socket at a path of the file system, which only its owner can connect to. */
  public static final class Listener implements AutoCloseable {
    private final Descriptor descriptor;
    private final SocketFile file;

    private Listener(int fd, SocketFile file) {
      this.descriptor = new Descriptor(fd);
      this.file = file;
    }

    /** Listens at {@code path}, taking the place of a socket that another process left there. */
    public static Listener bind(Path path) throws IOException {
      int fd = socket();
      try (var arena = Arena.ofConfined()) {
        Files.deleteIfExists(path);
        var address = address(arena, path);
        Libc.check(
            "bind " + path,
            (int) BIND.invokeExact(Libc.state(), fd, address, (int) address.byteSize()));
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
        Libc.check("listen " + path, (int) LISTEN.invokeExact(Libc.state(), fd, BACKLOG));
        return new Listener(fd, SocketFile.at(path));
      } catch (Throwable t) {
        Libc.close(fd);
        throw ioException(t);
      }
    }

    /**
     * Waits for a connection.
     *
     * @throws java.nio.channels.ClosedChannelException if the listener is or gets closed
     */
    public SeqPacketSocket accept() throws IOException {
      int fd = descriptor.acquire();
      try {
        int accepted;
        do {
          accepted =
              (int)
                  ACCEPT.invokeExact(
                      Libc.state(), fd, MemorySegment.NULL, MemorySegment.NULL, SOCK_CLOEXEC);
        } while (accepted < 0 && Libc.errno() == Libc.EINTR && !descriptor.isClosed());
        int errno = accepted < 0 ? Libc.errno() : 0;
        if (descriptor.isClosed()) {
          if (accepted >= 0) {
            Libc.close(accepted);
          }
          throw new AsynchronousCloseException();
        }
        if (accepted < 0) {
          throw new LinuxException("accept", errno);
        }
        return new SeqPacketSocket(accepted);
      } catch (Throwable t) {
        throw ioException(t);
      } finally {
        descriptor.release();
      }
    }

    /** Ends waiting {@link #accept}s, and takes the path away unless a successor owns it. */
    @Override
    public void close() {
      try {
        file.delete();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } finally {
        descriptor.shutdownAndClose();
      }
    }
  }
}
