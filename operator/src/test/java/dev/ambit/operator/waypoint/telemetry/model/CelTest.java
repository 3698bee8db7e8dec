package dev.ambit.operator.waypoint.telemetry.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CelTest {
  @ParameterizedTest
  @MethodSource("dev.ambit.operator.waypoint.telemetry.model.Expressions#taken")
  void takesWhatEnvoyTakes(String expression) {
    assertThat(Cel.problem(expression)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "response.code >=",
        "response.code >= 400 &&",
        "[1, 2].exists(x, x == 1)",
        "[1, 2].map(x, x)",
        "has(request.headers['x'])",
        "string(response.code)",
        "request.host.lowerAscii()",
        "dyn(1)",
        "type(1) == int",
        "pod.name == 'x'",
        "google.rpc.Status{code: 1}",
        "f(1)",
      })
  void refusesWhatEnvoyRefusesOrCannotKnow(String expression) {
    assertThat(Cel.problem(expression)).isPresent();
  }

  @FuzzTest(maxDuration = "10s")
  void neverThrows(byte[] bytes) {
    assertThat(Cel.problem(new String(bytes, java.nio.charset.StandardCharsets.UTF_8))).isNotNull();
  }
}
