package dev.ambit.agent.testing;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** A connection as a ztunnel makes them: with its mark and, if asked, a client's address. */
public final class MarkedSocket implements AutoCloseable {
  private static final int SOCK_STREAM = 1;
  private static final int SOL_SOCKET = 1;
  private static final int SO_SNDTIMEO = 21;
  private static final int SO_RCVTIMEO = 20;
  private static final int SO_MARK = 36;
  private static final int MARK = 0x539;

  private static final MethodHandle SOCKET =
      handle("socket", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SETSOCKOPT =
      handle(
          "setsockopt",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle BIND =
      handle("bind", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle CONNECT =
      handle("connect", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle READ =
      handle("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle WRITE =
      handle("write", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG));
  private static final MethodHandle CLOSE =
      handle("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

  private final int fd;

  private MarkedSocket(int fd) {
    this.fd = fd;
  }

  private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
    var linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
  }

  public static MarkedSocket connect(
      TestNamespace in, @Nullable InetAddress source, InetAddress destination, int port)
      throws Exception {
    return in.call(() -> open(source, destination, port));
  }

  private static MarkedSocket open(@Nullable InetAddress source, InetAddress destination, int port)
      throws IOException {
    boolean six = destination.getAddress().length == 16;
    try (var arena = Arena.ofConfined()) {
      int fd = (int) SOCKET.invokeExact(six ? 10 : 2, SOCK_STREAM, 0);
      option(arena, fd, SOL_SOCKET, SO_MARK, MARK);
      var limit = arena.allocate(16, 8);
      limit.set(JAVA_LONG, 0, 3);
      int ignored = (int) SETSOCKOPT.invokeExact(fd, SOL_SOCKET, SO_SNDTIMEO, limit, 16);
      ignored = (int) SETSOCKOPT.invokeExact(fd, SOL_SOCKET, SO_RCVTIMEO, limit, 16);
      if (source != null) {
        option(arena, fd, six ? 41 : 0, six ? 75 : 19, 1);
        check("bind", (int) BIND.invokeExact(fd, address(arena, source, 0), six ? 28 : 16));
      }
      check(
          "connect",
          (int) CONNECT.invokeExact(fd, address(arena, destination, port), six ? 28 : 16));
      return new MarkedSocket(fd);
    } catch (IOException e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  private static void option(Arena arena, int fd, int level, int name, int value) throws Throwable {
    check(
        "setsockopt " + name,
        (int) SETSOCKOPT.invokeExact(fd, level, name, arena.allocateFrom(JAVA_INT, value), 4));
  }

  private static void check(String call, int result) throws IOException {
    if (result != 0) {
      throw new IOException(call + " failed");
    }
  }

  private static MemorySegment address(Arena arena, InetAddress address, int port) {
    byte[] bytes = address.getAddress();
    var memory = arena.allocate(28, 4);
    memory.set(JAVA_SHORT, 0, (short) (bytes.length == 16 ? 10 : 2));
    memory.set(JAVA_BYTE, 2, (byte) (port >> 8));
    memory.set(JAVA_BYTE, 3, (byte) port);
    MemorySegment.copy(bytes, 0, memory, JAVA_BYTE, bytes.length == 16 ? 8 : 4, bytes.length);
    return memory;
  }

  public void write(String text) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocateFrom(JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8));
      if ((long) WRITE.invokeExact(fd, memory, memory.byteSize()) != memory.byteSize()) {
        throw new IOException("write failed");
      }
    } catch (IOException e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  public String read(int length) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(length);
      long count = (long) READ.invokeExact(fd, memory, (long) length);
      if (count < 0) {
        throw new IOException("read failed");
      }
      return new String(memory.asSlice(0, count).toArray(JAVA_BYTE), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw e;
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  @Override
  public void close() {
    try {
      int ignored = (int) CLOSE.invokeExact(fd);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }
}
