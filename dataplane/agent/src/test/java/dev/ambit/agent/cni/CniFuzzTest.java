package dev.ambit.agent.cni;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever the plugin passes on, or a file that lists plugins holds, is read or refused. */
class CniFuzzTest {
  private static final String LIST =
      """
      {"cniVersion": "1.0.0", "name": "cluster", "plugins": [
        {"type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/16"}, "mtu": 1450.0},
        {"type": "portmap"}, {"type": "ambit-cni"}],
       "prevResult": {"ips": [{"address": "10.1.0.5/16"}, {"address": "fd00::5/64"}]}}
      """;
  private static final List<String> PIECES =
      List.of(
          "{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "\"",
          "null",
          "1e999",
          "-0.10",
          "\"plugins\"",
          "\"type\"",
          "\"ambit-cni\"",
          "\"prevResult\"",
          "\"ips\"",
          "\"address\"",
          "\\u0000",
          "/");

  private interface Reader {
    Object read(String json) throws IOException;
  }

  private static String damaged(Random random) {
    StringBuilder json = new StringBuilder(LIST);
    for (int i = random.nextInt(5); i >= 0; i--) {
      int at = random.nextInt(json.length());
      String piece = PIECES.get(random.nextInt(PIECES.size()));
      switch (random.nextInt(3)) {
        case 0 -> json.insert(at, piece);
        case 1 -> json.delete(at, Math.min(json.length() - 1, at + random.nextInt(20)));
        default -> json.replace(at, at + 1, piece);
      }
    }
    return json.toString();
  }

  private static void readOrRefuse(Reader reader, String json) {
    try {
      assertThat(reader.read(json)).isNotNull();
    } catch (IOException refused) {
      assertThat(refused.getMessage()).isNotNull();
    }
  }

  @Property(tries = 3000)
  void configurationsWithPartsChanged(@ForAll long seed) {
    String json = damaged(new Random(seed));
    readOrRefuse(NetworkConfiguration::previousResult, json);
    readOrRefuse(NetworkConfiguration::addresses, json);
    readOrRefuse(NetworkConfiguration::withPlugin, json);
    readOrRefuse(NetworkConfiguration::withoutPlugin, json);
    readOrRefuse(NetworkConfiguration::listOf, json);
    assertThat(NetworkConfiguration.error(json, 7, "no")).isNotNull();
  }

  @Property(tries = 2000)
  void valuesOfOtherKinds(@ForAll long seed) {
    Random random = new Random(seed);
    List<String> values =
        List.of(
            "null", "7", "\"x\"", "[]", "{}", "[null]", "[7]", "[\"x\"]", "[[]]", "[{}]", "true");
    String json =
        "{\"cniVersion\": %s, \"name\": %s, \"type\": %s, \"plugins\": %s, \"prevResult\": %s}"
            .formatted(
                pick(values, random),
                pick(values, random),
                pick(values, random),
                pick(values, random),
                random.nextBoolean()
                    ? pick(values, random)
                    : "{\"ips\": [{\"address\": " + pick(values, random) + "}]}");
    readOrRefuse(NetworkConfiguration::previousResult, json);
    readOrRefuse(NetworkConfiguration::addresses, json);
    readOrRefuse(NetworkConfiguration::withPlugin, json);
    readOrRefuse(NetworkConfiguration::withoutPlugin, json);
    readOrRefuse(NetworkConfiguration::listOf, json);
    assertThat(NetworkConfiguration.error(json, 7, "no")).isNotNull();
  }

  private static String pick(List<String> values, Random random) {
    return values.get(random.nextInt(values.size()));
  }

  @Property(tries = 2000)
  void requestsOfAnyBytes(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    for (int i = random.nextInt(9); i > 0; i--) {
      byte[] field = new byte[random.nextInt(20)];
      random.nextBytes(field);
      out.writeInt(random.nextInt(5) == 0 ? random.nextInt() : field.length);
      out.write(field);
    }
    byte[] sent = bytes.toByteArray();
    try {
      CniRequest request = CniRequest.read(new DataInputStream(new ByteArrayInputStream(sent)));
      assertThat(request.argument("K8S_POD_NAME")).isNull();
      assertThat(request.configuration().getBytes(StandardCharsets.UTF_8).length)
          .isLessThanOrEqualTo(3 * CniRequest.MAX_FIELD);
    } catch (IOException refused) {
      // As good.
    }
  }
}
