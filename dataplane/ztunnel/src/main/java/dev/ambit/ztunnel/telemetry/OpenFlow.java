package dev.ambit.ztunnel.telemetry;

import org.jspecify.annotations.Nullable;

/** A flow of datagrams that was reported as opened. */
public interface OpenFlow {
  /** What it has carried so far. */
  void progress(FlowCounts counts);

  /** {@code count} of its datagrams were dropped. */
  void dropped(DropReason reason, long count);

  /**
   * It is over.
   *
   * @param error what went wrong; null where it ended for want of datagrams, or as its ends wanted
   */
  void closed(FlowCounts counts, @Nullable String error, ResponseFlag flag);
}
