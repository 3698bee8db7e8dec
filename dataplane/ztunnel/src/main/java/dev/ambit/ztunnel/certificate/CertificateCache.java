package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.channel.Backoff;
import dev.ambit.ztunnel.channel.CallFailure;
import dev.ambit.ztunnel.identity.Identity;
import java.security.GeneralSecurityException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches certificates when they are asked for or when a pod of their identity arrives, renews them
 * at about half their life, and forgets them when the identity's last pod has gone. A certificate
 * that cannot be renewed stays in use while it is valid.
 */
public final class CertificateCache implements Certificates, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CertificateCache.class);
  private static final int LARGEST_CONCURRENCY = 8;
  private static final Duration FIRST_RETRY = Duration.ofSeconds(1);
  private static final Duration LONGEST_RETRY = Duration.ofSeconds(150);

  /** Where there is none in use, pods wait for it. */
  private static final Duration LONGEST_RETRY_WITHOUT = Duration.ofSeconds(10);

  private static final double RENEWAL_SPREAD = 0.1;

  private final CertificateIssuer issuer;
  private final ScheduledExecutorService executor;
  private final Clock clock;

  /** What is held, for {@link #get} without a lock. */
  private final Map<Identity, TlsIdentity> held = new ConcurrentHashMap<>();

  // Guarded by this object's lock.
  private final Map<Identity, Entry> entries = new HashMap<>();
  private final PriorityQueue<Waiting> queue =
      new PriorityQueue<>(Comparator.comparing(Waiting::urgency).thenComparing(Waiting::sequence));
  private final Set<Entry> running = new HashSet<>();
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private long sequence;
  private boolean closed;

  private enum Urgency {
    /** A connection waits. */
    NOW,
    /** A pod has arrived. */
    SOON,
    /** A certificate in use is to be renewed. */
    EVENTUALLY
  }

  private record Waiting(Entry entry, Urgency urgency, long sequence) {}

  private static final class Entry {
    final Identity identity;
    final Backoff backoff = new Backoff(FIRST_RETRY, LONGEST_RETRY);
    int pods;
    @Nullable CompletableFuture<TlsIdentity> pending;
    @Nullable Urgency queued;
    @Nullable Future<?> timer;
    @Nullable IssuedChain issued;
    @Nullable Throwable lastFailure;
    @Nullable Instant failedUntil;

    Entry(Identity identity) {
      this.identity = identity;
    }
  }

  /**
   * @param executor runs fetches and renewals; one thread is enough
   */
  public CertificateCache(
      CertificateIssuer issuer, ScheduledExecutorService executor, Clock clock) {
    this.issuer = issuer;
    this.executor = executor;
    this.clock = clock;
  }

  /** Has {@code listener} called after each certificate that was issued; it must not wait. */
  public void onIssued(Runnable listener) {
    listeners.add(listener);
  }

  @Override
  public CompletionStage<TlsIdentity> get(Identity identity) {
    TlsIdentity current = held.get(identity);
    if (current != null && current.expiry().isAfter(clock.instant())) {
      return CompletableFuture.completedFuture(current);
    }
    return request(identity, Urgency.NOW);
  }

  /** Why there is no valid certificate of {@code identity}; empty where there is one. */
  public String missing(Identity identity) {
    TlsIdentity current = held.get(identity);
    if (current != null && current.expiry().isAfter(clock.instant())) {
      return "";
    }
    synchronized (this) {
      Entry entry = entries.get(identity);
      Throwable failure = entry == null ? null : entry.lastFailure;
      return "no certificate for "
          + identity
          + (failure == null ? " has been issued yet" : ": " + CallFailure.describe(failure));
    }
  }

  /**
   * A pod of {@code identity} has arrived: its certificate is fetched ahead, and kept fresh.
   *
   * @return completes when no attempt to get it is under way: it is there, or has been refused
   */
  public synchronized CompletionStage<?> hold(Identity identity) {
    Entry entry = entries.computeIfAbsent(identity, Entry::new);
    entry.pods++;
    if (entry.pods == 1 && !closed) {
      if (entry.issued == null) {
        entry.failedUntil = null; // A connection was refused just now; a pod is worth a new try.
        return request(identity, Urgency.SOON);
      }
      scheduleRenewal(entry, entry.issued);
    }
    CompletionStage<TlsIdentity> attempt = entry.pending;
    return attempt == null ? CompletableFuture.completedStage(null) : attempt;
  }

  /** A pod of {@code identity} has gone; after the last one the certificate is forgotten. */
  public synchronized void release(Identity identity) {
    Entry entry = entries.get(identity);
    if (entry == null || entry.pods == 0) {
      return;
    }
    entry.pods--;
    if (entry.pods == 0) {
      forget(entry);
    }
  }

  /** How it stands with each identity. */
  public synchronized List<CertificateStatus> statuses() {
    List<CertificateStatus> all = new ArrayList<>();
    for (Entry entry : entries.values()) {
      IssuedChain issued = entry.issued;
      boolean valid = issued != null && issued.expiry().isAfter(clock.instant());
      String state =
          valid
              ? "Available"
              : entry.lastFailure != null
                  ? "Unavailable: " + CallFailure.describe(entry.lastFailure)
                  : "Initializing";
      all.add(
          new CertificateStatus(
              entry.identity,
              state,
              issued == null ? List.of() : issued.chain(),
              issued == null ? List.of() : issued.roots(),
              entry.pods));
    }
    return all;
  }

  private synchronized CompletableFuture<TlsIdentity> request(Identity identity, Urgency urgency) {
    if (closed) {
      return CompletableFuture.failedFuture(
          new IllegalStateException("no certificate for " + identity + ": shutting down"));
    }
    Entry entry = entries.computeIfAbsent(identity, Entry::new);
    CompletableFuture<TlsIdentity> pending = entry.pending;
    if (pending == null) {
      Throwable failure = entry.lastFailure;
      Instant until = entry.failedUntil;
      if (failure != null && until != null && clock.instant().isBefore(until)) {
        // A refused identity must not make every connection of its pods a call.
        return CompletableFuture.failedFuture(failure);
      }
      pending = new CompletableFuture<>();
      entry.pending = pending;
      cancel(entry);
    }
    Urgency queued = entry.queued;
    if (queued == null && !running.contains(entry)) {
      enqueue(entry, urgency);
    } else if (queued != null && urgency.compareTo(queued) < 0) {
      queue.removeIf(waiting -> waiting.entry() == entry);
      enqueue(entry, urgency);
    }
    startWaiting();
    return pending;
  }

  private void enqueue(Entry entry, Urgency urgency) {
    entry.queued = urgency;
    queue.add(new Waiting(entry, urgency, sequence++));
  }

  private void startWaiting() {
    while (running.size() < LARGEST_CONCURRENCY && !closed) {
      Waiting waiting = queue.poll();
      if (waiting == null) {
        return;
      }
      Entry entry = waiting.entry();
      entry.queued = null;
      running.add(entry);
      executor.execute(() -> fetch(entry));
    }
  }

  private void fetch(Entry entry) {
    SigningRequest request;
    CompletionStage<List<String>> answer;
    try {
      request = SigningRequest.create(entry.identity);
      answer = issuer.issue(entry.identity, request.pem());
    } catch (GeneralSecurityException | RuntimeException e) {
      finished(entry, null, null, e);
      return;
    }
    answer.whenCompleteAsync(
        (pem, failure) -> {
          if (failure != null) {
            finished(entry, null, null, cause(failure));
            return;
          }
          try {
            IssuedChain issued = IssuedChain.of(pem, request, clock.instant());
            TlsIdentity identity =
                TlsContexts.of(entry.identity, request.keys().getPrivate(), issued);
            finished(entry, issued, identity, null);
          } catch (GeneralSecurityException | SSLException | RuntimeException e) {
            finished(entry, null, null, e);
          }
        },
        executor);
  }

  private static Throwable cause(Throwable failure) {
    return failure instanceof CompletionException && failure.getCause() != null
        ? failure.getCause()
        : failure;
  }

  private void finished(
      Entry entry,
      @Nullable IssuedChain issued,
      @Nullable TlsIdentity identity,
      @Nullable Throwable failure) {
    CompletableFuture<TlsIdentity> pending;
    synchronized (this) {
      running.remove(entry);
      pending = entry.pending;
      entry.pending = null;
      if (!closed) {
        if (issued != null && identity != null) {
          keep(entry, issued, identity);
        } else if (failure != null) {
          retryLater(entry, failure);
        }
        startWaiting();
      }
    }
    if (identity != null) {
      listeners.forEach(Runnable::run);
    }
    if (pending == null) {
      return;
    }
    if (identity != null) {
      pending.complete(identity);
    } else {
      pending.completeExceptionally(
          failure == null ? new IllegalStateException("no certificate") : failure);
    }
  }

  private void keep(Entry entry, IssuedChain issued, TlsIdentity identity) {
    if (entries.get(entry.identity) != entry) {
      return; // Its last pod went while the authority was signing.
    }
    entry.backoff.reset();
    entry.issued = issued;
    entry.lastFailure = null;
    entry.failedUntil = null;
    held.put(entry.identity, identity);
    log.atInfo()
        .addKeyValue("identity", entry.identity)
        .addKeyValue("expiry", issued.expiry())
        .log("certificate issued");
    scheduleRenewal(entry, issued);
  }

  private void scheduleRenewal(Entry entry, IssuedChain issued) {
    cancel(entry);
    Duration left = Duration.between(clock.instant(), issued.expiry());
    if (entry.pods == 0) {
      // Asked for by a connection, but of no pod that is known: not renewed, only dropped in time.
      entry.timer = schedule(left, () -> dropExpired(entry));
      return;
    }
    double spread = RENEWAL_SPREAD * (2 * ThreadLocalRandom.current().nextDouble() - 1);
    Instant begin = issued.leaf().getNotBefore().toInstant();
    Instant now = clock.instant();
    // The authority dates certificates back; half-life counts from when this one was issued.
    Duration life = Duration.between(begin.isBefore(now) ? now : begin, issued.expiry());
    Duration delay = Duration.ofMillis((long) (life.toMillis() * (0.5 + spread / 2)));
    entry.timer = schedule(delay, () -> renew(entry));
  }

  private void retryLater(Entry entry, Throwable failure) {
    boolean inUse = entry.issued != null && entry.issued.expiry().isAfter(clock.instant());
    Duration next = entry.backoff.next();
    Duration delay =
        inUse || next.compareTo(LONGEST_RETRY_WITHOUT) < 0 ? next : LONGEST_RETRY_WITHOUT;
    entry.lastFailure = failure;
    entry.failedUntil =
        clock.instant().plus(delay.compareTo(FIRST_RETRY) < 0 ? delay : FIRST_RETRY);
    log.atWarn()
        .addKeyValue("identity", entry.identity)
        .addKeyValue("inUse", inUse)
        .addKeyValue("retryIn", delay)
        .addKeyValue("reason", CallFailure.describe(failure))
        .log("cannot get a certificate");
    cancel(entry);
    if (entry.pods > 0) {
      entry.timer = schedule(delay, () -> renew(entry));
    } else if (!inUse) {
      entry.timer = schedule(LONGEST_RETRY, () -> dropExpired(entry));
    }
  }

  private Future<?> schedule(Duration delay, Runnable task) {
    return executor.schedule(task, Math.max(0, delay.toMillis()), TimeUnit.MILLISECONDS);
  }

  private synchronized void renew(Entry entry) {
    if (!closed && entries.get(entry.identity) == entry && entry.pods > 0) {
      entry.failedUntil = null;
      boolean valid = entry.issued != null && entry.issued.expiry().isAfter(clock.instant());
      var _ = request(entry.identity, valid ? Urgency.EVENTUALLY : Urgency.SOON);
    }
  }

  private synchronized void dropExpired(Entry entry) {
    if (entry.pods == 0 && entry.pending == null) {
      forget(entry);
    }
  }

  private void forget(Entry entry) {
    cancel(entry);
    entries.remove(entry.identity, entry);
    held.remove(entry.identity);
    entry.issued = null;
    if (entry.queued != null) {
      queue.removeIf(waiting -> waiting.entry() == entry);
      entry.queued = null;
      CompletableFuture<TlsIdentity> pending = entry.pending;
      entry.pending = null;
      if (pending != null) {
        pending.completeExceptionally(
            new IllegalStateException("no pod of " + entry.identity + " is left on this node"));
      }
    }
    log.atInfo().addKeyValue("identity", entry.identity).log("certificate forgotten");
  }

  private static void cancel(Entry entry) {
    Future<?> timer = entry.timer;
    entry.timer = null;
    if (timer != null) {
      timer.cancel(false);
    }
  }

  @Override
  public void close() {
    List<CompletableFuture<TlsIdentity>> abandoned = new ArrayList<>();
    synchronized (this) {
      closed = true;
      queue.clear();
      for (Entry entry : entries.values()) {
        cancel(entry);
        if (entry.pending != null) {
          abandoned.add(entry.pending);
        }
      }
    }
    for (CompletableFuture<TlsIdentity> pending : abandoned) {
      pending.completeExceptionally(new IllegalStateException("shutting down"));
    }
  }
}
