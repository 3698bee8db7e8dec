package dev.ambit.operator.waypoint.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.envoyproxy.envoy.config.bootstrap.v3.Admin;
import io.envoyproxy.envoy.config.bootstrap.v3.Bootstrap;
import io.envoyproxy.envoy.config.core.v3.Address;
import io.envoyproxy.envoy.config.core.v3.SocketAddress;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EnvoyProcessTest {
  @TempDir Path folder;

  private static final Bootstrap EMPTY =
      Bootstrap.newBuilder()
          .setAdmin(
              Admin.newBuilder()
                  .setAddress(
                      Address.newBuilder()
                          .setSocketAddress(
                              SocketAddress.newBuilder().setAddress("127.0.0.1").setPortValue(0))))
          .build();

  @Test
  void saysWhetherAConfigurationIsAccepted() {
    assertThat(EnvoyProcess.validate(folder, EMPTY).accepted()).isTrue();
    EnvoyProcess.Validation rejected =
        EnvoyProcess.validate(folder, "static_resources: {clusters: [{name: a, colour: red}]}");
    assertThat(rejected.accepted()).isFalse();
    assertThat(rejected.output()).contains("colour");
  }

  @Test
  void runsAndIsAsked() throws IOException {
    try (EnvoyProcess envoy = EnvoyProcess.start(folder, EMPTY).awaitReady()) {
      assertThat(envoy.admin("/server_info").body()).contains("1.40.0");
      assertThat(envoy.stat("server.live")).isEqualTo(1);
      envoy.terminate();
      assertThat(envoy.awaitExit()).isZero();
    }
  }
}
