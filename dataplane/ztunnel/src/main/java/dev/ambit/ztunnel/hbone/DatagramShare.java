package dev.ambit.ztunnel.hbone;

/** Whether something sends more in a while, about 8 ms, than leaves room for others. */
public final class DatagramShare {
  /** A while is 2 to this power of nanoseconds. */
  private static final int WHILE_SHIFT = 23;

  private final int much;
  private long at;
  private int sent;

  /**
   * Counts from now on.
   *
   * @param much how many bytes in a while are much
   */
  public DatagramShare(int much) {
    this.much = much;
  }

  /** Counts {@code bytes}; whether more than is much were sent before them in this while. */
  public boolean isMuch(int bytes, long nanos) {
    long now = nanos >> WHILE_SHIFT;
    if (now != at) {
      at = now;
      sent = 0;
    }
    boolean more = sent > much;
    sent = Math.min(sent, much + 1) + bytes;
    return more;
  }
}
