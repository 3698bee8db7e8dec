package dev.ambit.operator.waypoint.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnvoyBootstrapTest {
  @TempDir Path folder;

  private EnvoyBootstrap bootstrap() {
    return new EnvoyBootstrap(
        "shop",
        "waypoint",
        "waypoint",
        "cluster.local",
        "cluster.local",
        "ambit-operator.ambit-system.svc",
        new EnvoyBootstrap.Settings(
            folder.toString(),
            folder.toString(),
            folder.toString(),
            15012,
            "@ambit-envoy-admin",
            EnvoyBootstrap.READINESS_PORT,
            EnvoyBootstrap.METRICS_PORT,
            EnvoyBootstrap.INSPECTION_PORT));
  }

  @Test
  void envoyTakesIt() throws IOException {
    EnvoyBootstrap bootstrap = bootstrap();
    for (Map.Entry<String, String> file : bootstrap.files().entrySet()) {
      assertThat(file.getValue()).doesNotContain("${");
      Files.writeString(folder.resolve(file.getKey()), file.getValue());
    }
    List<String> arguments = new ArrayList<>(bootstrap.arguments("waypoint-1", "10.1.2.3", 30));
    arguments.addAll(List.of("--mode", "validate"));
    try (EnvoyProcess envoy = EnvoyProcess.start(List.of(), arguments, Map.of())) {
      assertThat(envoy.awaitExit()).as(envoy.logText()).isZero();
    }
  }

  @Test
  void itNamesItselfAsTheControlPlaneExpects() {
    assertThat(bootstrap().arguments("$(POD_NAME)", "$(POD_IP)", 30))
        .containsSequence(
            "--service-node",
            "waypoint~$(POD_IP)~$(POD_NAME).shop~shop.svc.cluster.local",
            "--drain-time-s",
            "30");
  }
}
