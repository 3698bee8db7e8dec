package dev.ambit.ztunnel.hbone;

import java.util.concurrent.atomic.AtomicLong;

/**
 * What all tunnels of a process together may hold of bytes that came and that nobody has taken yet.
 * Where more is held, tunnels that hold some are not read from, until they do not. Any thread may
 * call it.
 */
public final class MemoryBudget {
  private final long limit;
  private final AtomicLong held = new AtomicLong();

  /**
   * @param limit in bytes
   */
  public MemoryBudget(long limit) {
    if (limit <= 0) {
      throw new IllegalArgumentException("a memory budget of " + limit + " bytes");
    }
    this.limit = limit;
  }

  /** Without a limit. */
  public static MemoryBudget unlimited() {
    return new MemoryBudget(Long.MAX_VALUE);
  }

  /** Bytes that are held, to within some KiB a tunnel. */
  public long held() {
    return held.get();
  }

  void add(long bytes) {
    held.addAndGet(bytes);
  }

  boolean isExceeded() {
    return held.get() > limit;
  }
}
