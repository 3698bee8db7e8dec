package dev.ambit.chart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.Phase;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.luaj.vm2.Globals;
import org.luaj.vm2.LuaTable;
import org.luaj.vm2.LuaValue;
import org.luaj.vm2.lib.jse.JsePlatform;

/** Argo CD's health checks of Ambit's kinds, by Argo CD's own layout of such tests. */
class ArgoHealthTest {
  private static final Path CHECKS = Path.of("..", "gitops", "argocd", "ambit.dev");

  static List<Arguments> cases() throws IOException {
    List<Arguments> cases = new ArrayList<>();
    try (Stream<Path> kinds = Files.list(CHECKS)) {
      for (Path kind : kinds.sorted().toList()) {
        JsonNode tests = yaml(kind.resolve("health_test.yaml")).path("tests");
        for (JsonNode test : tests) {
          cases.add(
              Arguments.of(
                  kind.getFileName().toString(),
                  test.path("inputPath").asText(),
                  test.path("healthStatus").path("status").asText(),
                  test.path("healthStatus").path("message").asText()));
        }
      }
    }
    assertThat(cases).hasSizeGreaterThan(8);
    return cases;
  }

  private static JsonNode yaml(Path file) {
    try {
      return Serialization.unmarshal(Files.readString(file), JsonNode.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void healthIsWhatTheStatusSays(String kind, String input, String status, String message)
      throws IOException {
    Globals globals = JsePlatform.standardGlobals();
    globals.set("obj", value(yaml(CHECKS.resolve(kind).resolve(input))));
    LuaTable health =
        globals
            .load(Files.readString(CHECKS.resolve(kind).resolve("health.lua")))
            .call()
            .checktable();
    assertThat(health.get("status").checkjstring()).isEqualTo(status);
    assertThat(health.get("message").checkjstring()).isEqualTo(message);
  }

  @Test
  void everyPhaseOfAnEnrollmentHasACase() throws IOException {
    Path kind = CHECKS.resolve("MeshEnrollment");
    List<String> phases = new ArrayList<>();
    for (JsonNode test : yaml(kind.resolve("health_test.yaml")).path("tests")) {
      phases.add(
          yaml(kind.resolve(test.path("inputPath").asText()))
              .path("status")
              .path("phase")
              .asText());
    }
    assertThat(phases)
        .contains(Arrays.stream(Phase.values()).map(Phase::text).toArray(String[]::new));
  }

  private static LuaValue value(JsonNode node) {
    if (node.isObject()) {
      LuaTable table = new LuaTable();
      node.properties().forEach(field -> table.set(field.getKey(), value(field.getValue())));
      return table;
    }
    if (node.isArray()) {
      LuaTable table = new LuaTable();
      for (int i = 0; i < node.size(); i++) {
        table.set(i + 1, value(node.get(i)));
      }
      return table;
    }
    if (node.isNumber()) {
      return LuaValue.valueOf(node.asDouble());
    }
    if (node.isBoolean()) {
      return LuaValue.valueOf(node.asBoolean());
    }
    return node.isNull() ? LuaValue.NIL : LuaValue.valueOf(node.asText());
  }
}
