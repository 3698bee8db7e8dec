package dev.ambit.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class AgentSettingsTest {
  private static final Map<String, String> LEAST =
      Map.of("NODE_NAME", "n", "POD_NAMESPACE", "ambit-system", "POD_NAME", "ambit-agent-x");

  @Test
  void theRestHasDefaults() throws Exception {
    var settings = AgentSettings.of(LEAST);
    assertThat(settings.node()).isEqualTo("n");
    assertThat(settings.httpPort()).isEqualTo(15019);
    assertThat(settings.zdsSocket()).isEqualTo(Path.of("/var/run/ztunnel/ztunnel.sock"));
    assertThat(settings.hostAddress()).isEmpty();
  }

  @Test
  void namesEveryProblemAtOnce() {
    var bad = new HashMap<>(LEAST);
    bad.remove("NODE_NAME");
    bad.put("HTTP_PORT", "70000");
    bad.put("HOST_IP", "example.com");
    bad.put("CNI_BIN_DIR", "relative");
    assertThatThrownBy(() -> AgentSettings.of(bad))
        .isInstanceOf(AgentSettings.BadEnvironment.class)
        .hasMessageContainingAll(
            "NODE_NAME is not set",
            "HTTP_PORT='70000'",
            "HOST_IP='example.com' is not an IP address",
            "CNI_BIN_DIR='relative'");
  }
}
