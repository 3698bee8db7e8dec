package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A ztunnel says that it is ready when it is, and not before. */
@Timeout(240)
class ReadinessIT {
  @Test
  void itWaitsForTheControlPlaneAndThenForTheNodeAgentsSnapshot() throws IOException {
    try (var mesh = Mesh.withoutZtunnels(Map.of())) {
      mesh.controlPlane().stop();
      mesh.a().agent().stop();
      var ztunnel = mesh.a().startZtunnel();
      await("an answer that it is not ready")
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(100))
          .ignoreExceptionsInstanceOf(IOException.class)
          .until(() -> ztunnel.readiness().status() == 500);
      assertThat(ztunnel.readiness().body()).as("what it waits for").isNotBlank();

      mesh.controlPlane().start();
      mesh.awaitDiscovery(1);
      assertThat(ztunnel.readiness().status()).isEqualTo(500);

      mesh.a().agent().start();
      ztunnel.awaitReady();
      mesh.a().agent().awaitZtunnels(1);
    }
  }

  @Test
  void aRootThatDidNotSignTheControlPlaneIsNotTrusted() throws IOException {
    try (var mesh = Mesh.withoutZtunnels(Map.of())) {
      var other = java.nio.file.Files.createTempFile("other-root", ".pem");
      try {
        java.nio.file.Files.writeString(other, new TestAuthority().rootPem());
        var ztunnel =
            mesh.a()
                .startZtunnel(
                    Map.of("XDS_ROOT_CA", other.toString(), "CA_ROOT_CA", other.toString()));
        ztunnel.awaitLog(
            "a certificate error",
            line -> line.text().toLowerCase(java.util.Locale.ROOT).contains("certif"));
        assertThat(ztunnel.isReady()).isFalse();
        assertThat(mesh.controlPlane().discovery().nodes()).isEmpty();
      } finally {
        java.nio.file.Files.delete(other);
      }
    }
  }

  @Test
  void aSettingThatMakesNoSenseEndsItWithAClearMessage() {
    try (var mesh = Mesh.withoutZtunnels(Map.of())) {
      var ztunnel = mesh.a().startZtunnel(Map.of("XDS_ADDRESS", "not an address"));
      assertThat(ztunnel.awaitExit(Patience.LONG)).isNotZero();
      assertThat(ztunnel.logText()).contains("XDS_ADDRESS");
    }
  }
}
