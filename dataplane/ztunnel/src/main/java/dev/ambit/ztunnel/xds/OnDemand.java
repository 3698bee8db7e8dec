package dev.ambit.ztunnel.xds;

import dev.ambit.ztunnel.state.Demand;
import dev.ambit.ztunnel.state.MeshStore;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Which resources were asked for one by one, and which answers are in. What nobody has used for a
 * while is given back; the pods of this node are kept for as long as they are held.
 */
public final class OnDemand implements Demand {
  private static final Duration ANSWER = Duration.ofSeconds(5);

  /** A pod that tries all addresses there are must not fill the memory. */
  private static final int MOST_NAMES = 100_000;

  private final MeshStore store;
  private final Duration unused;
  private final Map<String, Asked> asked = new ConcurrentHashMap<>();
  private final Map<String, Long> uses = new ConcurrentHashMap<>();
  private final Set<String> held = ConcurrentHashMap.newKeySet();
  private final Set<String> unanswered = ConcurrentHashMap.newKeySet();

  // Guarded by itself: names to subscribe to at the next turn of the client.
  private final List<String> waiting = new ArrayList<>();
  private volatile @Nullable Runnable onWaiting;

  private static final class Asked {
    final CompletableFuture<Void> answer = new CompletableFuture<>();
    volatile long lastUse = System.nanoTime();
  }

  /** What is given back: names that were asked for, and resources that were held. */
  record Unused(Set<String> names, Set<String> resources) {}

  /**
   * @param store what was received
   * @param unused for how long a resource is kept that nobody uses
   */
  public OnDemand(MeshStore store, Duration unused) {
    this.store = store;
    this.unused = unused;
  }

  @Override
  public @Nullable CompletionStage<Void> ask(String name) {
    Asked present = asked.get(name);
    if (present == null) {
      if (asked.size() >= MOST_NAMES) {
        return CompletableFuture.failedFuture(
            new IllegalStateException("too many other names were asked for: " + MOST_NAMES));
      }
      Asked fresh = new Asked();
      present = asked.putIfAbsent(name, fresh);
      if (present == null) {
        present = fresh;
        unanswered.add(name);
        subscribe(name);
      }
    }
    present.lastUse = System.nanoTime();
    if (present.answer.isDone()) {
      return null;
    }
    return present
        .answer
        .copy()
        .orTimeout(ANSWER.toMillis(), TimeUnit.MILLISECONDS)
        .exceptionallyCompose(
            late ->
                CompletableFuture.failedFuture(
                    new TimeoutException(
                        "no answer about " + name + " within " + ANSWER.toSeconds() + " s")));
  }

  @Override
  public void used(String name) {
    long now = System.nanoTime();
    uses.put(name, now);
    Asked present = asked.get(name);
    if (present != null) {
      present.lastUse = now;
    }
  }

  /** Asks for the resource called {@code name}, and keeps it until it is released. */
  public void hold(String name) {
    held.add(name);
    var unawaited = ask(name);
  }

  /** Ends {@link #hold}. */
  public void release(String name) {
    held.remove(name);
  }

  private void subscribe(String name) {
    boolean first;
    synchronized (waiting) {
      first = waiting.isEmpty();
      waiting.add(name);
    }
    Runnable listener = onWaiting;
    if (first && listener != null) {
      listener.run();
    }
  }

  // -- for the client

  /** Has {@code listener} called where there is something to subscribe to. */
  void onWaiting(Runnable listener) {
    onWaiting = listener;
  }

  /** How long a resource stays that is not used. */
  Duration unused() {
    return unused;
  }

  /** What was asked for since the last call. */
  List<String> takeWaiting() {
    synchronized (waiting) {
      List<String> all = List.copyOf(waiting);
      waiting.clear();
      return all;
    }
  }

  /** All that is asked for, for a stream that begins. */
  List<String> takeAll() {
    synchronized (waiting) {
      waiting.clear();
    }
    return List.copyOf(asked.keySet());
  }

  /**
   * A response is in force.
   *
   * @param told names and aliases of what it brought and was accepted, and names of what is not
   */
  void answered(Collection<String> told) {
    told.forEach(this::answer);
    for (String name : unanswered) {
      // A server may tell of a resource by its own name alone.
      if (!store.resourcesBehind(name).isEmpty()) {
        answer(name);
      }
    }
  }

  private void answer(String name) {
    if (unanswered.remove(name)) {
      Asked entry = asked.get(name);
      if (entry != null) {
        entry.answer.complete(null);
      }
    }
  }

  /** Forgets what was not used for long; of {@code resources} those may go that are told. */
  Unused sweep(Collection<String> resources) {
    long now = System.nanoTime();
    long limit = unused.toNanos();
    Set<String> names = new HashSet<>();
    asked.forEach(
        (name, entry) -> {
          if (now - entry.lastUse > limit && !held.contains(name)) {
            names.add(name);
          }
        });
    // Before the resources themselves: whoever misses one then asks again.
    names.forEach(
        name -> {
          asked.remove(name);
          unanswered.remove(name);
        });
    uses.values().removeIf(last -> now - last > limit);
    Set<String> inUse = new HashSet<>(asked.keySet());
    inUse.addAll(uses.keySet());
    Set<String> needed = store.neededFor(inUse);
    Set<String> gone = new HashSet<>(resources);
    gone.removeAll(needed);
    return new Unused(names, gone);
  }
}
