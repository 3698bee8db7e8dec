package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;

/**
 * A short {@link Soak}; {@code make soak} runs it for as many minutes as it is told. It runs beside
 * no other test, since it holds hundreds of connections.
 */
@Isolated
class SoakIT {
  private static final Duration SHORT_LOAD = Duration.ofSeconds(40);
  private static final Duration SHORT_WARM_UP = Duration.ofSeconds(10);

  @Test
  @Timeout(value = 6, unit = TimeUnit.HOURS)
  void noCallFailsThatTheWorkloadDidNotBreakAndNothingLeaks() throws Exception {
    long minutes = Long.getLong("ambit.soak.minutes", 0);
    var warmUp = minutes == 0 ? SHORT_WARM_UP : Duration.ofSeconds(60);
    var load = minutes == 0 ? SHORT_LOAD : Duration.ofMinutes(minutes);
    var folder = Path.of(System.getProperty("ambit.soak.report", "target/soak"));
    try (var soak = new Soak(warmUp, load, folder)) {
      assertThat(soak.run()).as("see %s/report.txt", folder).isEmpty();
      assertThat(soak.goodCalls()).isPositive();
    }
  }
}
