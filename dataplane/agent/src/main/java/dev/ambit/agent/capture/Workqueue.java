package dev.ambit.agent.capture;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Runs work for keys on platform threads: never two at once for one key, never lost when asked for
 * while it runs, and again after a growing pause where it fails.
 */
public final class Workqueue implements AutoCloseable {
  /** What is done for a key. */
  @FunctionalInterface
  public interface Work {
    /** Does it, and returns after which pause to do it again; empty: when next asked. */
    Optional<Duration> perform(String key) throws Exception;
  }

  /** Who hears of failures. */
  @FunctionalInterface
  public interface OnFailure {
    void failed(String key, int attempt, Exception cause);
  }

  private final Work work;
  private final OnFailure onFailure;
  private final Duration firstPause;
  private final Duration longestPause;
  private final ScheduledThreadPoolExecutor threads;
  private final Set<String> waiting = new HashSet<>();
  private final Set<String> running = new HashSet<>();
  private final Set<String> again = new HashSet<>();
  private final Map<String, Integer> failures = new HashMap<>();
  private final Map<String, ScheduledFuture<?>> timers = new HashMap<>();

  /** Starts the threads. */
  public Workqueue(
      String name,
      int threads,
      Duration firstPause,
      Duration longestPause,
      Work work,
      OnFailure onFailure) {
    this.work = work;
    this.onFailure = onFailure;
    this.firstPause = firstPause;
    this.longestPause = longestPause;
    this.threads =
        new ScheduledThreadPoolExecutor(
            threads, Thread.ofPlatform().name(name + "-", 0).daemon().factory());
    this.threads.setRemoveOnCancelPolicy(true);
    this.threads.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
  }

  /** Asks for a key's work, now or right after the run that is under way. */
  public synchronized void add(String key) {
    if (threads.isShutdown()) {
      return;
    }
    var timer = timers.remove(key);
    if (timer != null) {
      timer.cancel(false);
    }
    if (running.contains(key)) {
      again.add(key);
    } else if (waiting.add(key)) {
      threads.execute(() -> run(key));
    }
  }

  private synchronized void addAfter(String key, Duration pause) {
    if (threads.isShutdown() || waiting.contains(key)) {
      return;
    }
    timers.put(key, threads.schedule(() -> due(key), pause.toMillis(), TimeUnit.MILLISECONDS));
  }

  private synchronized void due(String key) {
    timers.remove(key);
    add(key);
  }

  private void run(String key) {
    synchronized (this) {
      waiting.remove(key);
      running.add(key);
    }
    Optional<Duration> next = Optional.empty();
    try {
      next = work.perform(key);
      synchronized (this) {
        failures.remove(key);
      }
    } catch (Exception e) {
      int attempt;
      synchronized (this) {
        attempt = failures.merge(key, 1, Integer::sum);
      }
      onFailure.failed(key, attempt, e);
      next = Optional.of(pause(attempt));
    } finally {
      finished(key, next);
    }
  }

  private synchronized void finished(String key, Optional<Duration> next) {
    running.remove(key);
    if (again.remove(key)) {
      add(key);
    } else {
      next.ifPresent(pause -> addAfter(key, pause));
    }
  }

  private Duration pause(int attempt) {
    var pause = firstPause.multipliedBy(1L << Math.min(attempt - 1, 20));
    return pause.compareTo(longestPause) < 0 ? pause : longestPause;
  }

  /** Lets running work end, and starts no more. */
  @Override
  public void close() {
    synchronized (this) {
      threads.shutdownNow();
    }
    boolean interrupted = false;
    try {
      if (!threads.awaitTermination(10, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      interrupted = true;
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
