package dev.ambit.operator.proof;

import dev.ambit.operator.enrollment.model.Proof;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has a handshake with every captured pod, again and again. What it knows is in memory: who starts
 * tries all anew.
 */
public final class Proofs implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Proofs.class);

  private static final int HBONE = 15008;
  private static final int AT_ONCE = 128;
  private static final Duration TICK = Duration.ofMillis(500);
  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(5);

  /** With the attempts below, what is lost is known well within a minute. */
  private static final Duration AGAIN = Duration.ofSeconds(20);

  private static final Duration AFTER_FAILURE = Duration.ofSeconds(1);
  private static final Duration LONGEST_AFTER_FAILURE = Duration.ofSeconds(10);

  /** A ztunnel that is being replaced, or is yet to hear of the pod, may miss one. */
  private static final int BELIEVED_FAILURES = 2;

  /**
   * One that an earlier leader has proven is to fail for longer, ten seconds at least: a process
   * that has just started is slow, and tries all pods of the cluster at once.
   */
  private static final int FAILURES_AFTER_START = 5;

  private final Handshake handshake;
  private final BooleanSupplier able;
  private final MeterRegistry registry;
  private final Map<String, Entry> entries = new ConcurrentHashMap<>();
  private final Set<String> settled = ConcurrentHashMap.newKeySet();
  private final Semaphore room = new Semaphore(AT_ONCE);
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService scheduler =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("proofs").daemon().factory());

  private volatile Consumer<String> changed = namespace -> {};

  /**
   * A pod to prove.
   *
   * @param identity the URI that its certificate must have
   * @param waypoint whether it is an instance of a waypoint, through which a request has to go
   */
  public record Target(
      String uid, String namespace, String ip, String identity, boolean waypoint) {}

  /** How one handshake goes. */
  @FunctionalInterface
  interface Handshake {
    Proof with(Target target);
  }

  /** What is known of one target; changed by one thread at a time. */
  private static final class Entry {
    final Target target;
    final boolean provenBefore;
    volatile @Nullable Proof proof;
    volatile int failures;
    volatile long dueNanos = System.nanoTime();
    volatile boolean running;

    Entry(Target target, boolean provenBefore) {
      this.target = target;
      this.provenBefore = provenBefore;
    }

    boolean isBelieved() {
      return failures >= (provenBefore && proof == null ? FAILURES_AFTER_START : BELIEVED_FAILURES);
    }
  }

  /**
   * Proves with that TLS.
   *
   * @param tls makes a context with the operator's own certificate; empty while it has none, which
   *     says nothing of any pod
   */
  public Proofs(Supplier<Optional<SSLContext>> tls, MeterRegistry registry) {
    this(target -> handshake(target, tls), () -> tls.get().isPresent(), registry);
  }

  /**
   * Proves by that handshake.
   *
   * @param able whether one can be tried now
   */
  Proofs(Handshake handshake, BooleanSupplier able, MeterRegistry registry) {
    this.handshake = handshake;
    this.able = able;
    this.registry = registry;
    var unused =
        scheduler.scheduleWithFixedDelay(
            this::tick, TICK.toMillis(), TICK.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static Proof handshake(Target target, Supplier<Optional<SSLContext>> tls) {
    Optional<SSLContext> context = tls.get();
    if (context.isEmpty()) {
      return Proof.failed("the operator has no certificate yet");
    }
    return HboneHandshake.attempt(
        new InetSocketAddress(InetAddress.ofLiteral(target.ip()), HBONE),
        context.get(),
        target.identity(),
        target.waypoint(),
        ANSWERS_WITHIN);
  }

  /** Calls back with the namespace of each pod whose proof has changed. */
  public void onChange(Consumer<String> listener) {
    changed = listener;
  }

  /**
   * The captured pods of a namespace, all of them.
   *
   * @param proven whether all that were known are said to be proven, which is an earlier leader's
   *     word until each has been tried since
   */
  public void targets(String namespace, List<Target> targets, boolean proven) {
    boolean provenBefore = proven && !settled.contains(namespace);
    Set<String> wanted = new HashSet<>();
    for (Target target : targets) {
      wanted.add(target.uid());
      entries.compute(
          target.uid(),
          (uid, entry) ->
              entry == null || !entry.target.equals(target)
                  ? new Entry(target, provenBefore)
                  : entry);
    }
    entries
        .values()
        .removeIf(
            entry ->
                entry.target.namespace().equals(namespace) && !wanted.contains(entry.target.uid()));
  }

  /** What is known of a namespace's pods, by UID; a pod that is not there is untried. */
  public Map<String, Proof> of(String namespace) {
    Map<String, Proof> proofs = new HashMap<>();
    for (Entry entry : entries.values()) {
      Proof proof = entry.proof;
      if (proof != null && entry.target.namespace().equals(namespace)) {
        proofs.put(entry.target.uid(), proof);
      }
    }
    return proofs;
  }

  /**
   * Whether every pod of a namespace has been tried since this began: before that, what an earlier
   * leader has proven may be believed.
   */
  public boolean isSettled(String namespace) {
    if (settled.contains(namespace)) {
      return true;
    }
    boolean all =
        entries.values().stream()
            .filter(entry -> entry.target.namespace().equals(namespace))
            .allMatch(entry -> entry.proof != null);
    if (all) {
      settled.add(namespace);
    }
    return all;
  }

  /**
   * Asks the waypoints of a namespace soon whether they know what goes through them; those that
   * have said so are not asked.
   *
   * @param anew whether what they have said before counts no more
   */
  public void askWaypoints(String namespace, boolean anew) {
    for (Entry entry : entries.values()) {
      Proof proof = entry.proof;
      if (entry.target.waypoint()
          && entry.target.namespace().equals(namespace)
          && proof != null
          && proof.holds()) {
        if (anew && proof.knowsNamespace()) {
          entry.proof = Proof.HOLDS;
        }
        if (anew || !proof.knowsNamespace()) {
          entry.dueNanos = System.nanoTime();
        }
      }
    }
  }

  private void tick() {
    long now = System.nanoTime();
    List<Entry> due =
        entries.values().stream()
            .filter(entry -> !entry.running && now - entry.dueNanos >= 0)
            .toList();
    if (due.isEmpty() || !able.getAsBoolean()) {
      return;
    }
    for (Entry entry : due) {
      if (!room.tryAcquire()) {
        return;
      }
      entry.running = true;
      executor.execute(() -> run(entry));
    }
  }

  private void run(Entry entry) {
    Proof outcome;
    try {
      outcome = handshake.with(entry.target);
    } catch (RuntimeException e) {
      LOG.atError()
          .addKeyValue("namespace", entry.target.namespace())
          .addKeyValue("uid", entry.target.uid())
          .setCause(e)
          .log("a handshake could not be tried");
      outcome = Proof.failed("see the operator's log");
    } finally {
      room.release();
    }
    Counter.builder("ambit.enrollment.proofs")
        .tag("result", outcome.holds() ? "proven" : "failed")
        .description("Handshakes with captured pods")
        .register(registry)
        .increment();
    take(entry, outcome);
  }

  private void take(Entry entry, Proof outcome) {
    Proof before = entry.proof;
    if (outcome.holds()) {
      entry.failures = 0;
      entry.proof = outcome;
      // Apart from each other, by what does not change.
      long jitter = Math.floorMod(entry.target.uid().hashCode(), AGAIN.toMillis() / 4);
      entry.dueNanos = System.nanoTime() + AGAIN.plusMillis(jitter).toNanos();
    } else {
      entry.failures++;
      if (entry.isBelieved()) {
        entry.proof = outcome;
      }
      Duration wait = AFTER_FAILURE.multipliedBy(entry.failures);
      entry.dueNanos =
          System.nanoTime()
              + (wait.compareTo(LONGEST_AFTER_FAILURE) < 0 ? wait : LONGEST_AFTER_FAILURE)
                  .toNanos();
    }
    entry.running = false;
    Proof after = entry.proof;
    if (after != null && !after.equals(before) && entries.get(entry.target.uid()) == entry) {
      LOG.atDebug()
          .addKeyValue("namespace", entry.target.namespace())
          .addKeyValue("uid", entry.target.uid())
          .addKeyValue("proven", after.holds())
          .addKeyValue("problem", after.problem())
          .log("a pod's proof has changed");
      changed.accept(entry.target.namespace());
    }
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
    executor.shutdownNow();
  }
}
