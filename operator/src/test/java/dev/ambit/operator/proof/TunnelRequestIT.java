package dev.ambit.operator.proof;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.enrollment.model.Proof;
import dev.ambit.operator.waypoint.config.model.ProbedEnvoy;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A real Envoy answers a probe's request through a tunnel, and nobody else is asked. */
@Timeout(120)
class TunnelRequestIT {
  private static final byte[] PREFACE_AND_SETTINGS =
      HexFormat.of()
          .parseHex("505249202a20485454502f322e300d0a0d0a534d0d0a0d0a" + "000000040000000000");

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aWaypointAnswersAndSaysWhetherItKnowsItsNamespace(boolean namespace, @TempDir Path folder)
      throws IOException {
    try (EnvoyProcess envoy =
        EnvoyProcess.start(folder, ProbedEnvoy.bootstrap(namespace)).awaitReady()) {
      for (int i = 0; i < 3; i++) {
        try (Socket socket =
            new Socket(InetAddress.getLoopbackAddress(), envoy.port(ProbedEnvoy.LISTENER))) {
          socket.setSoTimeout(20_000);
          socket.getOutputStream().write(PREFACE_AND_SETTINGS);
          assertThat(
                  TunnelRequest.proof(
                      new DataInputStream(socket.getInputStream()), socket.getOutputStream()))
              .isEqualTo(namespace ? Proof.KNOWS_NAMESPACE : Proof.HOLDS);
        }
      }
    }
  }
}
