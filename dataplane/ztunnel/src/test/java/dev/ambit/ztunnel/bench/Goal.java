package dev.ambit.ztunnel.bench;

/** What a figure is wanted to be, by the design. */
sealed interface Goal {
  /** At least so many times the other ztunnel's. */
  record AtLeastPeers(double times) implements Goal {}

  /** At most so many times the other ztunnel's. */
  record AtMostPeers(double times) implements Goal {}

  /** At most so much, whatever others need. */
  record AtMost(double value) implements Goal {}

  /** At least so many times what there is without a proxy. */
  record AtLeastDirect(double times) implements Goal {}

  /** At most so much more than without a proxy. */
  record AtMostAdded(double value) implements Goal {}

  /** It is only looked at. */
  record None() implements Goal {}
}
