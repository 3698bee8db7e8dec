package dev.ambit.operator.waypoint.telemetry.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FormatStringTest {
  @ParameterizedTest
  @MethodSource("dev.ambit.operator.waypoint.telemetry.model.Expressions#formats")
  void takesWhatEnvoyTakes(String format) {
    assertThat(FormatString.problem(format)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "50% of it",
        "%RESPONSE_CODE",
        "%NO_SUCH_THING%",
        "%REQ%",
        "%REQ(:METHOD)",
        "%REQ()%",
        "%RESPONSE_CODE(x)%",
        "%FILTER_STATE(a b)%",
        "%METADATA(NOWHERE:a)%",
        "%START_TIME(%s)%",
        "%CEL(nonsense()%",
        "%CEL(pod.name)%",
        "%response_code%",
      })
  void refusesWhatEnvoyRefuses(String format) {
    assertThat(FormatString.problem(format)).isPresent();
  }

  @FuzzTest(maxDuration = "10s")
  void neverThrows(byte[] bytes) {
    assertThat(FormatString.problem(new String(bytes, StandardCharsets.UTF_8))).isNotNull();
  }
}
