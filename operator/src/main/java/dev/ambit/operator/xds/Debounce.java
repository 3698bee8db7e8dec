package dev.ambit.operator.xds;

import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs an action once changes have paused, and at the latest some time after the first.
 * Thread-safe.
 */
public final class Debounce {
  private final ScheduledExecutorService scheduler;
  private final long quietNanos;
  private final long longestNanos;
  private final Runnable action;
  private final LongSupplier nanoTime;

  private boolean pending;
  private long first;
  private long latest;
  private @Nullable ScheduledFuture<?> timer;

  /**
   * Waits.
   *
   * @param quiet without a change before the action
   * @param longest from the first change to the action
   */
  public Debounce(
      ScheduledExecutorService scheduler, Duration quiet, Duration longest, Runnable action) {
    this(scheduler, quiet, longest, action, System::nanoTime);
  }

  Debounce(
      ScheduledExecutorService scheduler,
      Duration quiet,
      Duration longest,
      Runnable action,
      LongSupplier nanoTime) {
    this.scheduler = scheduler;
    this.quietNanos = quiet.toNanos();
    this.longestNanos = longest.toNanos();
    this.action = action;
    this.nanoTime = nanoTime;
  }

  /** Something has changed. */
  public synchronized void changed() {
    long now = nanoTime.getAsLong();
    latest = now;
    if (!pending) {
      pending = true;
      first = now;
      timer =
          scheduler.schedule(this::due, Math.min(quietNanos, longestNanos), TimeUnit.NANOSECONDS);
    }
  }

  private void due() {
    synchronized (this) {
      long now = nanoTime.getAsLong();
      long wait = Math.min(latest + quietNanos, first + longestNanos) - now;
      if (wait > 0) {
        timer = scheduler.schedule(this::due, wait, TimeUnit.NANOSECONDS);
        return;
      }
      pending = false;
      timer = null;
    }
    action.run();
  }

  /** Drops what is pending. */
  public synchronized void cancel() {
    ScheduledFuture<?> present = timer;
    if (present != null) {
      present.cancel(false);
    }
    pending = false;
    timer = null;
  }
}
