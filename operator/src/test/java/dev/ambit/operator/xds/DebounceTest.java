package dev.ambit.operator.xds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class DebounceTest {
  @Test
  void manyChangesAreOneActionAndALaterOneAnother() {
    try (ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor()) {
      AtomicInteger actions = new AtomicInteger();
      Debounce debounce =
          new Debounce(
              scheduler, Duration.ofMillis(30), Duration.ofSeconds(10), actions::incrementAndGet);
      for (int i = 0; i < 100; i++) {
        debounce.changed();
      }
      await().untilAtomic(actions, org.hamcrest.Matchers.equalTo(1));
      debounce.changed();
      await().untilAtomic(actions, org.hamcrest.Matchers.equalTo(2));
      assertThat(actions).hasValue(2);
    }
  }

  @Test
  void changesThatNeverPauseAreActedOnAtTheLatestAfterTheLongestTime() {
    try (ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor()) {
      AtomicInteger actions = new AtomicInteger();
      Debounce debounce =
          new Debounce(
              scheduler, Duration.ofSeconds(60), Duration.ofMillis(100), actions::incrementAndGet);
      // The quiet time alone would be a minute; only the longest time can be what ends the wait.
      debounce.changed();
      await()
          .atMost(Duration.ofSeconds(10))
          .until(
              () -> {
                debounce.changed();
                return actions.get() > 0;
              });
    }
  }
}
