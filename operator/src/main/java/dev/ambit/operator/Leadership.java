package dev.ambit.operator;

import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfigBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the leader's work on the one replica that holds the Lease. A replica that loses it, for want
 * of the API server, stops that work and stands again: it goes on serving from its caches
 * meanwhile, which is why this is not the operator SDK's election, which ends the process.
 */
public final class Leadership implements AutoCloseable {
  static final String LEASE = "ambit-operator";

  private static final Logger LOG = LoggerFactory.getLogger(Leadership.class);
  private static final Duration LEASE_DURATION = Duration.ofSeconds(15);
  private static final Duration RENEW_DEADLINE = Duration.ofSeconds(10);
  private static final Duration RETRY_PERIOD = Duration.ofSeconds(2);
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(4);

  private final KubernetesClient client;
  private final OperatorSettings settings;
  private final Duty duty;
  private final Thread candidate;

  /** Begins and ends the work in turn, so that two terms never overlap. */
  private final ExecutorService terms =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("leader-term").factory());

  private volatile boolean closed;
  private volatile boolean leading;
  private volatile boolean givenUp;
  private volatile @Nullable CompletableFuture<?> standing;

  /** Only touched by the thread of {@link #terms}. */
  private @Nullable AutoCloseable term;

  /** What only the leader does. */
  public interface Duty {
    /** Begins it; closing what is returned ends it. */
    AutoCloseable begin() throws Exception;
  }

  public Leadership(
      KubernetesClient client, OperatorSettings settings, MeterRegistry metrics, Duty duty) {
    this.client = impatient(client);
    this.settings = settings;
    this.duty = duty;
    this.candidate = Thread.ofPlatform().name("leader-election").unstarted(this::stand);
    Gauge.builder("ambit.operator.leader", this, self -> self.leading ? 1 : 0)
        .description("1 on the replica that writes to the API server")
        .register(metrics);
  }

  /** A renewal that is tried for longer than the lease lasts would have two replicas lead. */
  private static KubernetesClient impatient(KubernetesClient client) {
    return new KubernetesClientBuilder()
        .withConfig(
            new ConfigBuilder(client.getConfiguration())
                .withRequestRetryBackoffLimit(0)
                .withConnectionTimeout((int) REQUEST_TIMEOUT.toMillis())
                .withRequestTimeout((int) REQUEST_TIMEOUT.toMillis())
                .build())
        .build();
  }

  /** Stands for election, until closed. */
  public void start() {
    candidate.start();
  }

  private void stand() {
    while (!closed) {
      givenUp = false;
      CompletableFuture<?> election = elector();
      standing = election;
      if (closed || givenUp) {
        election.cancel(true);
      }
      try {
        election.get();
      } catch (CancellationException e) {
        LOG.atDebug().log("left the election");
      } catch (ExecutionException e) {
        LOG.atWarn()
            .addKeyValue("namespace", settings.rootNamespace())
            .addKeyValue("name", LEASE)
            .setCause(e.getCause())
            .log("the election failed and is begun again");
      } catch (InterruptedException e) {
        election.cancel(true);
        return;
      }
      pause();
    }
  }

  private void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(closed ? 0 : RETRY_PERIOD.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private CompletableFuture<?> elector() {
    return client
        .leaderElector()
        .withConfig(
            new LeaderElectionConfigBuilder()
                .withName(LEASE)
                .withLock(new LeaseLock(settings.rootNamespace(), LEASE, settings.podName()))
                .withLeaseDuration(LEASE_DURATION)
                .withRenewDeadline(RENEW_DEADLINE)
                .withRetryPeriod(RETRY_PERIOD)
                .withReleaseOnCancel(true)
                .withLeaderCallbacks(
                    new LeaderCallbacks(this::beginLater, this::endLater, Leadership::newLeader))
                .build())
        .build()
        .start();
  }

  /** Without a leader for the moment, the name is null or empty. */
  private static void newLeader(@Nullable String leader) {
    if (leader != null && !leader.isEmpty()) {
      LOG.atInfo().addKeyValue("leader", leader).log("a replica leads");
    }
  }

  private void beginLater() {
    if (!terms.isShutdown()) {
      terms.execute(this::begin);
    }
  }

  private void endLater() {
    leading = false;
    if (!terms.isShutdown()) {
      terms.execute(this::end);
    }
  }

  private void begin() {
    end();
    leading = true;
    try {
      term = duty.begin();
      LOG.atInfo().addKeyValue("pod", settings.podName()).log("this replica leads");
    } catch (Exception e) {
      LOG.atError()
          .setCause(e)
          .log("cannot begin the leader's work; the lease is given up for another try");
      leading = false;
      givenUp = true;
      CompletableFuture<?> election = standing;
      if (election != null) {
        election.cancel(true);
      }
    }
  }

  private void end() {
    AutoCloseable ended = term;
    term = null;
    if (ended == null) {
      return;
    }
    try {
      ended.close();
      LOG.atInfo().addKeyValue("pod", settings.podName()).log("this replica leads no longer");
    } catch (Exception e) {
      LOG.atError().setCause(e).log("the leader's work did not end as it should");
    }
  }

  /** Ends the work, and then gives the lease up. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    terms.execute(this::end);
    terms.shutdown();
    try {
      if (!terms.awaitTermination(RENEW_DEADLINE.toSeconds(), TimeUnit.SECONDS)) {
        LOG.atWarn().log("the leader's work is still ending");
      }
      CompletableFuture<?> election = standing;
      if (election != null) {
        election.cancel(true);
      }
      candidate.join(RETRY_PERIOD);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    candidate.interrupt();
    client.close();
  }
}
