package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A pod or service that is called in a soak, and when its own servers failed their callers. */
final class SoakTarget {
  /** A time in which a server was gone that callers could not know to be gone. */
  private static final class Outage {
    final long from = System.nanoTime();
    volatile boolean over;
    volatile long to;
  }

  /** A call that goes on. */
  final class Attempt {
    private final long started = System.nanoTime();

    /** An endpoint has answered: from now on this server's own count of connections has it. */
    void answered() {
      undecided.remove(this);
    }

    void over() {
      undecided.remove(this);
    }

    /** Whether a server went away without warning while this call went on. */
    boolean isExcused() {
      return outages.stream().anyMatch(outage -> !outage.over || outage.to - started > 0);
    }

    Duration age() {
      return Duration.ofNanos(System.nanoTime() - started);
    }
  }

  private final String name;
  private final InetSocketAddress address;
  private final Set<Attempt> undecided = ConcurrentHashMap.newKeySet();
  private final List<Outage> outages = new CopyOnWriteArrayList<>();

  SoakTarget(String name, InetSocketAddress address) {
    this.name = name;
    this.address = address;
  }

  InetSocketAddress address() {
    return address;
  }

  Attempt attempt() {
    var attempt = new Attempt();
    undecided.add(attempt);
    return attempt;
  }

  /**
   * Waits until each call that began before is known to have reached some endpoint, or is over:
   * then none can still be on its way to an endpoint that was taken out before.
   */
  void awaitDecided() {
    long now = System.nanoTime();
    await("calls of " + name + " that were begun are decided")
        .atMost(SoakCall.TIMEOUT.multipliedBy(3))
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> undecided.stream().noneMatch(attempt -> attempt.started - now < 0));
  }

  /** Runs {@code going}, with which a server of this target goes away without a word. */
  void without(Runnable going) {
    var outage = new Outage();
    outages.add(outage);
    try {
      going.run();
    } finally {
      outage.to = System.nanoTime();
      outage.over = true;
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
