package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** A port on which several processes listen (SO_REUSEPORT), with one taking over from another. */
public final class SharedPort {
  private static final int SOL_SOCKET = 1;
  private static final int SO_ATTACH_REUSEPORT_CBPF = 51;

  /** {@code BPF_RET | BPF_K}: the program's result is its constant. */
  private static final short RETURN_CONSTANT = 0x06;

  /** The kernel counts the listeners of a port in the order in which they came, from 0. */
  private static final int SECOND = 1;

  private static final int FILTER_BYTES = 8;
  private static final int PROGRAM_BYTES = 16;

  private static final MethodHandle SETSOCKOPT =
      Libc.handle(
          "setsockopt",
          -1,
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));

  private SharedPort() {}

  /**
   * Has the kernel give new connections to the listener that came second, so that the first one can
   * take what waits in its queue and close without resetting any. Where there is no second one,
   * they go on as before.
   *
   * @param fd a listening socket with SO_REUSEPORT
   */
  public static void yieldToSecond(int fd) throws LinuxException {
    try (var arena = Arena.ofConfined()) {
      // struct sock_filter and struct sock_fprog of linux/filter.h.
      var filter = arena.allocate(FILTER_BYTES, 8);
      filter.set(JAVA_SHORT, 0, RETURN_CONSTANT);
      filter.set(JAVA_BYTE, 2, (byte) 0);
      filter.set(JAVA_BYTE, 3, (byte) 0);
      filter.set(JAVA_INT, 4, SECOND);
      var program = arena.allocate(PROGRAM_BYTES, 8);
      program.set(JAVA_SHORT, 0, (short) 1);
      program.set(ADDRESS, 8, filter);
      Libc.check(
          "setsockopt SO_ATTACH_REUSEPORT_CBPF",
          (int)
              SETSOCKOPT.invokeExact(
                  Libc.state(), fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program, PROGRAM_BYTES));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }
}
