package dev.ambit.agent.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class WorkqueueTest {
  private final List<String> failures = new CopyOnWriteArrayList<>();
  private @Nullable Workqueue queue;

  private Workqueue queue(Workqueue.Work work) {
    queue =
        new Workqueue(
            "test",
            4,
            Duration.ofMillis(1),
            Duration.ofMillis(20),
            work,
            (key, attempt, cause) -> failures.add(key + attempt + cause.getMessage()));
    return queue;
  }

  @AfterEach
  void close() {
    if (queue != null) {
      queue.close();
    }
  }

  @Test
  void oneKeyNeverRunsTwiceAtOnceAndIsNotLostWhileItRuns() throws Exception {
    var inside = new AtomicInteger();
    var runs = new AtomicInteger();
    var overlaps = new AtomicInteger();
    var entered = new CountDownLatch(1);
    var proceed = new Semaphore(0);
    var queue =
        queue(
            key -> {
              if (inside.incrementAndGet() > 1) {
                overlaps.incrementAndGet();
              }
              entered.countDown();
              proceed.acquire();
              inside.decrementAndGet();
              runs.incrementAndGet();
              return Optional.empty();
            });
    queue.add("a");
    assertThat(entered.await(10, TimeUnit.SECONDS)).isTrue();
    for (int i = 0; i < 50; i++) {
      queue.add("a");
    }
    proceed.release(2);
    await().untilAsserted(() -> assertThat(runs).hasValue(2));
    assertThat(overlaps).hasValue(0);
  }

  @Test
  void failuresAreTriedAgainAndCounted() {
    var runs = new AtomicInteger();
    queue(
            key -> {
              if (runs.incrementAndGet() < 4) {
                throw new IOException("no");
              }
              return Optional.empty();
            })
        .add("a");
    await().untilAsserted(() -> assertThat(runs).hasValue(4));
    assertThat(failures).containsExactly("a1no", "a2no", "a3no");
  }

  @Test
  void workMayAskToBeDoneAgain() {
    var runs = new AtomicInteger();
    queue(key -> runs.incrementAndGet() < 3 ? Optional.of(Duration.ofMillis(1)) : Optional.empty())
        .add("a");
    await().untilAsserted(() -> assertThat(runs).hasValue(3));
  }
}
