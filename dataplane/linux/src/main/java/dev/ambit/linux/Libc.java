package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** Calls into the C library, each with its errno captured. */
final class Libc {
  static final int O_RDONLY = 0;
  static final int O_CLOEXEC = 0x80000;
  static final int CLONE_NEWNET = 0x40000000;
  static final int EINTR = 4;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final StructLayout CAPTURE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO =
      CAPTURE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final ThreadLocal<MemorySegment> STATE =
      ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(CAPTURE));

  private static final MethodHandle OPEN =
      handle("open", 2, FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle CLOSE =
      handle("close", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle SHUTDOWN =
      handle("shutdown", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SETNS =
      handle("setns", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle FSTAT =
      handle("fstat", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle STRERROR =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

  private Libc() {}

  /**
   * A call of the C library's function {@code name} that captures errno: its first parameter is the
   * {@link #state()}.
   *
   * @param firstVariadic index of the first variadic argument, or -1
   */
  static MethodHandle handle(String name, int firstVariadic, FunctionDescriptor descriptor) {
    var capture = Linker.Option.captureCallState("errno");
    var symbol = LINKER.defaultLookup().findOrThrow(name);
    return firstVariadic < 0
        ? LINKER.downcallHandle(symbol, descriptor, capture)
        : LINKER.downcallHandle(
            symbol,
            descriptor,
            capture,
            Linker.Option.firstVariadicArg(
                Math.min(firstVariadic, descriptor.argumentLayouts().size())));
  }

  /** This thread's segment for a captured errno. */
  static MemorySegment state() {
    return STATE.get();
  }

  /** The errno that the last captured call of this thread left. */
  static int errno() {
    return (int) ERRNO.get(STATE.get(), 0L);
  }

  static String errorText(int errno) {
    try {
      return ((MemorySegment) STRERROR.invokeExact(errno)).reinterpret(256).getString(0);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Fails with the captured errno where {@code result} is negative. */
  static int check(String call, int result) throws LinuxException {
    if (result < 0) {
      throw new LinuxException(call, errno());
    }
    return result;
  }

  static int open(String path) throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      return check(
          "open " + path,
          (int) OPEN.invokeExact(state(), arena.allocateFrom(path), O_RDONLY | O_CLOEXEC));
    } catch (Throwable t) {
      throw sneaky(t);
    }
  }

  static void close(int fd) {
    try {
      int ignored = (int) CLOSE.invokeExact(state(), fd);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Ends both directions of a socket, which wakes whoever blocks on it. */
  static void shutdown(int fd) {
    try {
      int ignored = (int) SHUTDOWN.invokeExact(state(), fd, 2);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  static int setns(int fd) {
    try {
      return (int) SETNS.invokeExact(state(), fd, CLONE_NEWNET);
    } catch (Throwable t) {
      throw new AssertionError(t);
    }
  }

  /** Device and inode of what {@code fd} refers to. */
  static long[] identity(int fd) throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      var stat = arena.allocate(256, 8);
      check("fstat", (int) FSTAT.invokeExact(state(), fd, stat));
      return new long[] {stat.get(JAVA_LONG, 0), stat.get(JAVA_LONG, 8)};
    } catch (Throwable t) {
      throw sneaky(t);
    }
  }

  /**
   * Rethrows what a method handle threw; only {@link LinuxException} and unchecked ones can come.
   */
  static LinuxException sneaky(Throwable t) {
    return switch (t) {
      case LinuxException e -> e;
      case RuntimeException e -> throw e;
      case Error e -> throw e;
      default -> throw new AssertionError(t);
    };
  }
}
