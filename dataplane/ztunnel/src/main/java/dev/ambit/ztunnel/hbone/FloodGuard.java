package dev.ambit.ztunnel.hbone;

/**
 * Bounds how many frames of the kinds that cost the receiver more than the sender a peer may send
 * within a time.
 */
final class FloodGuard {
  private final int limit;
  private final long periodNanos;
  private long periodStart;
  private int count;

  FloodGuard(int limit, long periodNanos) {
    this.limit = limit;
    this.periodNanos = periodNanos;
  }

  /** Counts one frame; false where the peer has sent too many. */
  boolean allows(long nowNanos) {
    if (count == 0 || nowNanos - periodStart >= periodNanos) {
      periodStart = nowNanos;
      count = 0;
    }
    return ++count <= limit;
  }
}
