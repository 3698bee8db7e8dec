package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The packet filter of the calling thread's network namespace, through libnftables. To reach
 * another namespace, call inside {@link NetworkNamespace#call}.
 */
public final class Nftables {
  private static final String LIBRARY = "libnftables.so.1";

  /**
   * libnftables waits for the kernel by select(), which ends a process with a higher descriptor.
   */
  private static final int MOST_DESCRIPTORS = 1024;

  /** More than others can take of them in the time of a call. */
  private static final int RESERVE = 64;

  /** libnftables keeps process-wide parser and cache state, so one call at a time. */
  private static final Object LOCK = new Object();

  /** Low numbers, kept for libnftables' socket, however many descriptors others open. */
  private static final List<Integer> RESERVED = new ArrayList<>(); // guarded by LOCK

  private Nftables() {}

  /** The functions, looked up on first use so that a process that never calls needs no library. */
  private static final class Library {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final SymbolLookup SYMBOLS = SymbolLookup.libraryLookup(LIBRARY, Arena.global());
    static final MethodHandle NEW = handle("nft_ctx_new", FunctionDescriptor.of(ADDRESS, JAVA_INT));
    static final MethodHandle FREE = handle("nft_ctx_free", FunctionDescriptor.ofVoid(ADDRESS));
    static final MethodHandle BUFFER_OUTPUT =
        handle("nft_ctx_buffer_output", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    static final MethodHandle BUFFER_ERROR =
        handle("nft_ctx_buffer_error", FunctionDescriptor.of(JAVA_INT, ADDRESS));
    static final MethodHandle OUTPUT =
        handle("nft_ctx_get_output_buffer", FunctionDescriptor.of(ADDRESS, ADDRESS));
    static final MethodHandle ERROR =
        handle("nft_ctx_get_error_buffer", FunctionDescriptor.of(ADDRESS, ADDRESS));
    static final MethodHandle RUN =
        handle("nft_run_cmd_from_buffer", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
      return LINKER.downcallHandle(SYMBOLS.findOrThrow(name), descriptor);
    }
  }

  /**
   * Runs commands in nft's own language as one transaction and returns what they print.
   *
   * @throws NftablesException with libnftables' message where a command fails; nothing is changed
   *     then
   */
  public static String run(String commands) throws IOException {
    synchronized (LOCK) {
      freeDescriptors();
      try (var arena = Arena.ofConfined()) {
        // A context belongs to the namespace in which it was made: its netlink socket does.
        var context = (MemorySegment) Library.NEW.invokeExact(0);
        if (context.equals(MemorySegment.NULL)) {
          throw new NftablesException("no nftables context: out of memory or no netlink socket");
        }
        try {
          if ((int) Library.BUFFER_OUTPUT.invokeExact(context) != 0
              || (int) Library.BUFFER_ERROR.invokeExact(context) != 0) {
            throw new NftablesException("no nftables output buffer: out of memory");
          }
          int result = (int) Library.RUN.invokeExact(context, arena.allocateFrom(commands));
          if (result != 0) {
            throw new NftablesException(text((MemorySegment) Library.ERROR.invokeExact(context)));
          }
          return text((MemorySegment) Library.OUTPUT.invokeExact(context));
        } finally {
          Library.FREE.invokeExact(context);
          reserveDescriptors();
        }
      } catch (Throwable t) {
        throw t instanceof IOException e ? e : Libc.sneaky(t);
      }
    }
  }

  /** A new descriptor gets the lowest number that is free. */
  private static void freeDescriptors() throws IOException {
    RESERVED.forEach(Libc::close);
    RESERVED.clear();
    int next = Libc.open("/dev/null");
    Libc.close(next);
    if (next >= MOST_DESCRIPTORS) {
      throw new NftablesException(
          "this process has %d descriptors open, and libnftables works with no more than %d"
              .formatted(next, MOST_DESCRIPTORS));
    }
  }

  private static void reserveDescriptors() throws IOException {
    while (RESERVED.size() < RESERVE) {
      int reserved = Libc.open("/dev/null");
      if (reserved >= MOST_DESCRIPTORS) {
        Libc.close(reserved);
        return;
      }
      RESERVED.add(reserved);
    }
  }

  /** The table of family inet with this name as nft lists it, or empty where there is none. */
  public static Optional<String> listTable(String name) throws IOException {
    try {
      return Optional.of(run("list table inet " + name));
    } catch (NftablesException e) {
      if (run("list tables").lines().noneMatch(("table inet " + name)::equals)) {
        return Optional.empty();
      }
      // It may have come in between; another error comes again.
      return Optional.of(run("list table inet " + name));
    }
  }

  private static String text(MemorySegment string) {
    return string.equals(MemorySegment.NULL)
        ? ""
        : string.reinterpret(Long.MAX_VALUE).getString(0).strip();
  }
}
