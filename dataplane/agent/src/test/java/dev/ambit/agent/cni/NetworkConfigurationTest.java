package dev.ambit.agent.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NetworkConfigurationTest {
  private static final String INPUT =
      """
      {"cniVersion":"0.4.0","name":"n","type":"ambit-cni","prevResult":
       {"cniVersion":"0.4.0","interfaces":[{"name":"eth0","mtu":1450}],
        "ips":[{"version":"4","address":"10.42.0.5/24"},{"address":"fd00::5/64"}],"dns":{"x":1.50}}}
      """;

  @Test
  void passesThePreviousResultOn() throws Exception {
    assertThat(NetworkConfiguration.previousResult(INPUT))
        .contains(
            "{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"eth0\",\"mtu\":1450}],"
                + "\"ips\":[{\"version\":\"4\",\"address\":\"10.42.0.5/24\"},"
                + "{\"address\":\"fd00::5/64\"}],\"dns\":{\"x\":1.50}}");
    assertThat(NetworkConfiguration.addresses(INPUT))
        .containsExactly(InetAddress.ofLiteral("10.42.0.5"), InetAddress.ofLiteral("fd00::5"));
    assertThat(NetworkConfiguration.previousResult("{}")).isEmpty();
    assertThat(NetworkConfiguration.addresses("{}")).isEmpty();
  }

  @Test
  void errorsSpeakTheRuntimesVersion() {
    assertThat(NetworkConfiguration.error(INPUT, 11, "a \"b\""))
        .isEqualTo(
            new CniReply(false, "{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"a \\\"b\\\"\"}"));
    assertThat(NetworkConfiguration.error("nonsense", 7, "x").json()).contains("1.0.0");
  }

  @Test
  void theListKeepsAllElse() throws Exception {
    var list =
        """
        {"name":"cbr0","cniVersion":"0.3.1","x":{"big":12345678901234567890,"f":1.10},
         "plugins":[{"type":"flannel","delegate":{"isDefaultGateway":true}},{"type":"portmap"}]}
        """;
    var chained = NetworkConfiguration.withPlugin(list).orElseThrow();
    assertThat(chained.replaceAll("\\s", ""))
        .isEqualTo(
            "{\"name\":\"cbr0\",\"cniVersion\":\"0.3.1\","
                + "\"x\":{\"big\":12345678901234567890,\"f\":1.10},"
                + "\"plugins\":[{\"type\":\"flannel\",\"delegate\":{\"isDefaultGateway\":true}},"
                + "{\"type\":\"portmap\"},{\"type\":\"ambit-cni\"}]}");
    assertThat(NetworkConfiguration.withPlugin(chained)).as("is in it already").isEmpty();
    assertThat(NetworkConfiguration.withoutPlugin(chained).orElseThrow().replaceAll("\\s", ""))
        .isEqualTo(list.replaceAll("\\s", ""));
    assertThat(NetworkConfiguration.withoutPlugin(list)).isEmpty();
  }

  @Test
  void anotherPluginBehindUsIsPutBeforeUs() throws Exception {
    assertThat(
            NetworkConfiguration.withPlugin(
                    "{\"plugins\":[{\"type\":\"a\"},{\"type\":\"ambit-cni\"},{\"type\":\"b\"}]}")
                .orElseThrow()
                .replaceAll("\\s", ""))
        .isEqualTo("{\"plugins\":[{\"type\":\"a\"},{\"type\":\"b\"},{\"type\":\"ambit-cni\"}]}");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "[]", "{", "{\"plugins\":[]}", "{\"plugins\":7}", "{} {}"})
  void aFileThatIsNoListIsLeftAlone(String list) {
    assertThatThrownBy(() -> NetworkConfiguration.withPlugin(list)).isInstanceOf(Exception.class);
  }

  @Test
  void noInputBreaksTheParser() {
    var random = new Random(7);
    byte[] original = INPUT.getBytes(StandardCharsets.UTF_8);
    for (int round = 0; round < 20_000; round++) {
      var bytes = original.clone();
      for (int change = random.nextInt(4); change >= 0; change--) {
        bytes[random.nextInt(bytes.length)] =
            random.nextBoolean()
                ? (byte) random.nextInt(256)
                : (byte) "{}[]\",:\\0".charAt(random.nextInt(9));
      }
      var input = new String(bytes, 0, random.nextInt(bytes.length + 1), StandardCharsets.UTF_8);
      try {
        NetworkConfiguration.previousResult(input);
        NetworkConfiguration.addresses(input);
      } catch (IOException e) {
        assertThat(e).hasMessageNotContaining("Exception");
      }
      assertThat(NetworkConfiguration.error(input, 7, "x").success()).isFalse();
    }
  }
}
