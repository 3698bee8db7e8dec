package dev.ambit.ztunnel.zds;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.state.LocalPod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pods that this ztunnel serves: starts each in its network namespace, tries again where that
 * fails, and drains those that leave.
 */
public final class PodRegistry {
  private static final Logger log = LoggerFactory.getLogger(PodRegistry.class);
  private static final Duration START_RETRY = Duration.ofSeconds(5);
  private static final Duration STATUS_WAIT = Duration.ofSeconds(5);

  private final PodRuntime runtime;
  private final PodObserver observer;
  private final ScheduledExecutorService executor;

  // Guarded by this object's lock.
  private final Map<String, Entry> pods = new HashMap<>();
  private final Set<CompletableFuture<Void>> draining = new HashSet<>();

  private static final class Entry {
    final LocalPod pod;
    // Kept open, so that its inode stays its own and a start can be tried again.
    final NetworkNamespace namespace;
    @Nullable CompletableFuture<Void> starting;
    PodRuntime.@Nullable Running running;
    @Nullable Throwable failure;
    @Nullable Future<?> retry;
    boolean terminating;
    boolean removed;

    Entry(LocalPod pod, NetworkNamespace namespace) {
      this.pod = pod;
      this.namespace = namespace;
    }
  }

  /**
   * @param executor for later attempts
   */
  public PodRegistry(PodRuntime runtime, PodObserver observer, ScheduledExecutorService executor) {
    this.runtime = runtime;
    this.observer = observer;
    this.executor = executor;
  }

  /**
   * Serves {@code pod}. A pod that is served in the same namespace already is left alone; one that
   * was served in another is cut off there first. Takes ownership of {@code namespace}.
   *
   * @return completes when its listeners are bound, exceptionally where that failed; it is then
   *     tried again every few seconds until the pod is removed
   */
  CompletionStage<Void> add(LocalPod pod, NetworkNamespace namespace) {
    Entry entry;
    synchronized (this) {
      Entry present = pods.get(pod.uid());
      if (present != null && present.namespace.isSame(namespace)) {
        namespace.close();
        if (present.running != null) {
          return CompletableFuture.completedFuture(null);
        }
        if (present.starting != null) {
          return present.starting;
        }
        entry = present;
      } else {
        if (present != null) {
          remove(pod.uid(), Duration.ZERO);
        }
        entry = new Entry(pod, namespace);
        pods.put(pod.uid(), entry);
        observer.added(pod);
      }
    }
    return start(entry);
  }

  /** The pod of {@code uid}, where it is served or is about to be. */
  synchronized @Nullable LocalPod pod(String uid) {
    Entry entry = pods.get(uid);
    return entry == null ? null : entry.pod;
  }

  /** Whether the pod of {@code uid} was handed over before and is served still. */
  synchronized boolean knows(String uid) {
    return pods.containsKey(uid);
  }

  /** Cuts off all pods but those of {@code uids}. */
  synchronized void retain(Set<String> uids) {
    for (String uid : List.copyOf(pods.keySet())) {
      if (!uids.contains(uid)) {
        remove(uid, Duration.ZERO);
      }
    }
  }

  /**
   * Stops serving the pod of {@code uid}, if there is one. Returns at once; open connections go on
   * for {@code deadline} at most.
   */
  synchronized void remove(String uid, Duration deadline) {
    Entry entry = pods.get(uid);
    if (entry != null && entry.running != null) {
      entry.running.leaving();
    }
    stop(uid, deadline);
  }

  private void stop(String uid, Duration deadline) {
    Entry entry = pods.remove(uid);
    if (entry == null) {
      return;
    }
    entry.removed = true;
    if (entry.retry != null) {
      entry.retry.cancel(false);
    }
    log.atInfo()
        .addKeyValue("namespace", entry.pod.namespace())
        .addKeyValue("pod", entry.pod.name())
        .addKeyValue("deadline", deadline)
        .log("pod leaves");
    PodRuntime.Running running = entry.running;
    if (running != null) {
      drain(entry, running, deadline);
    } else if (entry.starting == null) {
      entry.namespace.close();
    }
    observer.removed(entry.pod);
  }

  /** The pod of {@code uid}, if it is served, has begun to terminate; it is served on. */
  synchronized void terminating(String uid) {
    Entry entry = pods.get(uid);
    if (entry == null || entry.terminating) {
      return;
    }
    entry.terminating = true;
    log.atInfo()
        .addKeyValue("namespace", entry.pod.namespace())
        .addKeyValue("pod", entry.pod.name())
        .log("pod terminates, telling its peers");
    if (entry.running != null) {
      entry.running.terminating();
    }
  }

  /** Removes all pods; completes when no connection of any is left. */
  CompletionStage<Void> drainAll(Duration deadline) {
    List<CompletableFuture<Void>> all;
    synchronized (this) {
      for (String uid : List.copyOf(pods.keySet())) {
        stop(uid, deadline);
      }
      all = List.copyOf(draining);
    }
    return CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0]));
  }

  /** How many pods wait for their listeners. */
  public synchronized int pending() {
    int pending = 0;
    for (Entry entry : pods.values()) {
      pending += entry.running == null ? 1 : 0;
    }
    return pending;
  }

  /** How many pods are served. */
  public synchronized int active() {
    return pods.size() - pending();
  }

  /** How it stands with each pod. Waits a little for those who know. */
  public List<PodStatus> statuses() {
    Map<LocalPod, CompletableFuture<List<LiveConnection>>> up = new LinkedHashMap<>();
    List<PodStatus> statuses = new ArrayList<>();
    synchronized (this) {
      for (Entry entry : pods.values()) {
        if (entry.running != null) {
          up.put(entry.pod, entry.running.connections().toCompletableFuture());
        } else {
          String failure = entry.failure == null ? null : entry.failure.getMessage();
          statuses.add(new PodStatus(entry.pod, false, failure, List.of()));
        }
      }
    }
    long end = System.nanoTime() + STATUS_WAIT.toNanos();
    up.forEach(
        (pod, connections) ->
            statuses.add(
                new PodStatus(
                    pod,
                    true,
                    null,
                    connections
                        .completeOnTimeout(
                            List.of(), Math.max(1, end - System.nanoTime()), TimeUnit.NANOSECONDS)
                        .join())));
    return statuses;
  }

  private CompletionStage<Void> start(Entry entry) {
    CompletableFuture<Void> started = new CompletableFuture<>();
    NetworkNamespace handed;
    synchronized (this) {
      if (entry.removed || entry.running != null) {
        started.complete(null);
        return started;
      }
      if (entry.starting != null) {
        return entry.starting;
      }
      if (entry.retry != null) {
        entry.retry.cancel(false);
        entry.retry = null;
      }
      entry.starting = started;
      try {
        handed = NetworkNamespace.open("/proc/self/fd/" + entry.namespace.fd());
      } catch (LinuxException e) {
        failed(entry, e);
        started.completeExceptionally(e);
        return started;
      }
    }
    CompletionStage<? extends PodRuntime.Running> attempt;
    try {
      attempt = runtime.start(entry.pod, handed);
    } catch (RuntimeException e) {
      attempt = CompletableFuture.failedFuture(e);
    }
    attempt.whenComplete(
        (running, failure) -> {
          if (failure == null) {
            succeeded(entry, running);
            started.complete(null);
          } else {
            Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null
                    ? failure.getCause()
                    : failure;
            failed(entry, cause);
            started.completeExceptionally(cause);
          }
        });
    return started;
  }

  private synchronized void succeeded(Entry entry, PodRuntime.Running running) {
    entry.starting = null;
    entry.failure = null;
    entry.running = running;
    observer.started(entry.pod);
    log.atInfo()
        .addKeyValue("namespace", entry.pod.namespace())
        .addKeyValue("pod", entry.pod.name())
        .addKeyValue("uid", entry.pod.uid())
        .addKeyValue("netns", entry.namespace)
        .log("pod served");
    if (entry.removed) {
      running.leaving();
      drain(entry, running, Duration.ZERO);
    } else if (entry.terminating) {
      running.terminating();
    }
  }

  private synchronized void failed(Entry entry, Throwable failure) {
    entry.starting = null;
    entry.failure = failure;
    if (entry.removed) {
      entry.namespace.close();
      return;
    }
    log.atWarn()
        .addKeyValue("namespace", entry.pod.namespace())
        .addKeyValue("pod", entry.pod.name())
        .addKeyValue("uid", entry.pod.uid())
        .addKeyValue("reason", String.valueOf(failure.getMessage()))
        .addKeyValue("retryIn", START_RETRY)
        .log("cannot serve pod");
    entry.retry =
        executor.schedule(() -> start(entry), START_RETRY.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void drain(Entry entry, PodRuntime.Running running, Duration deadline) {
    CompletableFuture<Void> done = new CompletableFuture<>();
    draining.add(done);
    running
        .drain(deadline)
        .whenComplete(
            (nothing, failure) -> {
              if (failure != null) {
                log.atError()
                    .addKeyValue("namespace", entry.pod.namespace())
                    .addKeyValue("pod", entry.pod.name())
                    .setCause(failure)
                    .log("draining a pod failed");
              }
              entry.namespace.close();
              observer.stopped(entry.pod);
              synchronized (this) {
                draining.remove(done);
              }
              done.complete(null);
            });
  }
}
