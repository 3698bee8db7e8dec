package dev.ambit.ztunnel.channel;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Delays between attempts that keep failing: each about twice the one before, spread at random by a
 * fifth, so that the nodes of a cluster do not return all at once. For one thread at a time.
 */
public final class Backoff {
  private static final double SPREAD = 0.2;

  private final long firstNanos;
  private final long longestNanos;
  private long nextNanos;

  public Backoff(Duration first, Duration longest) {
    this.firstNanos = first.toNanos();
    this.longestNanos = longest.toNanos();
    this.nextNanos = firstNanos;
  }

  /** The delay before the next attempt. */
  public Duration next() {
    long base = nextNanos;
    nextNanos = Math.min(longestNanos, base * 2);
    double factor = 1 - SPREAD + 2 * SPREAD * ThreadLocalRandom.current().nextDouble();
    return Duration.ofNanos(Math.min(longestNanos, (long) (base * factor)));
  }

  /** After success: the next failure starts from the first delay. */
  public void reset() {
    nextNanos = firstNanos;
  }
}
