package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import com.google.protobuf.util.Durations;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DurationsTest {
  @ParameterizedTest
  @CsvSource({
    "1h30m, 5400000",
    "1.5s, 1500",
    "250ms, 250",
    "2m, 120000",
    "0s, 0",
    "0, 0",
    ".5s, 500",
    "1s1ms, 1001"
  })
  void readsNumbersWithUnits(String text, long millis) {
    assertThat(dev.ambit.operator.waypoint.traffic.model.Durations.parse(text))
        .hasValueSatisfying(duration -> assertThat(Durations.toMillis(duration)).isEqualTo(millis));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1", "s", "-1s", "1s ", "1d", "99999999999999h", "1ss", "1s-1s"})
  void refusesAnythingElse(String text) {
    assertThat(dev.ambit.operator.waypoint.traffic.model.Durations.parse(text)).isEmpty();
  }

  @Test
  void saysWhatItCannotRead() {
    Findings findings = new Findings();

    assertThat(dev.ambit.operator.waypoint.traffic.model.Durations.of("a", "soon", findings))
        .isEmpty();
    assertThat(dev.ambit.operator.waypoint.traffic.model.Durations.positive("b", "0s", findings))
        .isEmpty();
    assertThat(dev.ambit.operator.waypoint.traffic.model.Durations.positive("c", "1ns", findings))
        .contains(Duration.newBuilder().setNanos(1).build());
    assertThat(findings.all()).extracting("path").containsExactly("a", "b");
  }
}
