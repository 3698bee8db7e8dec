package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Which replica does the leader's work, against an API server that keeps Leases. */
@EnableKubernetesMockClient(crud = true, https = false)
class LeadershipTest {
  private static final Duration TAKEOVER = Duration.ofSeconds(30);

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  static KubernetesClient client;

  /** A replica whose work is to count its terms. */
  private static final class Replica implements AutoCloseable {
    final AtomicInteger running = new AtomicInteger();
    final AtomicInteger begun = new AtomicInteger();
    private final Leadership leadership;

    Replica(String name, int failingBegins) {
      AtomicInteger failures = new AtomicInteger(failingBegins);
      leadership =
          new Leadership(
              client,
              new OperatorSettings(name, "ambit-system", "127.0.0.1"),
              new SimpleMeterRegistry(),
              () -> {
                begun.incrementAndGet();
                if (failures.getAndDecrement() > 0) {
                  throw new IllegalStateException("the caches could not be filled");
                }
                running.incrementAndGet();
                return running::decrementAndGet;
              });
      leadership.start();
    }

    @Override
    public void close() {
      leadership.close();
    }
  }

  @Test
  void oneReplicaLeadsAndTheOtherTakesOver() {
    var second = new Replica[1];
    try (var first = new Replica("operator-0", 0)) {
      await().atMost(TAKEOVER).until(() -> first.running.get() == 1);
      second[0] = new Replica("operator-1", 0);
      first.close();
      assertThat(first.running).hasValue(0);
    }
    try (var other = second[0]) {
      await().atMost(TAKEOVER).until(() -> other.running.get() == 1);
      assertThat(other.begun).hasValue(1);
    }
    assertThat(second[0].running).hasValue(0);
  }

  @Test
  void aTermThatCannotBeginIsTriedAgain() {
    try (var replica = new Replica("operator-2", 1)) {
      await().atMost(TAKEOVER).until(() -> replica.running.get() == 1);
      assertThat(replica.begun).hasValue(2);
    }
  }
}
