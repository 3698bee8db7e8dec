package dev.ambit.ztunnel;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever the environment says, there are settings, or an error that names the variable. */
class SettingsFuzzTest {
  private static final List<String> NAMES =
      List.of(
          "XDS_ADDRESS",
          "CA_ADDRESS",
          "XDS_ROOT_CA",
          "XDS_HEADER_A",
          "AUTH_TOKEN",
          "NETWORK",
          "INPOD_UDS",
          "PROXY_MODE",
          "SECRET_TTL",
          "TERMINATION_GRACE_PERIOD_SECONDS",
          "CONNECTION_TERMINATION_DEADLINE",
          "ZTUNNEL_WORKER_THREADS",
          "IPV6_ENABLED",
          "PACKET_MARK",
          "POOL_MAX_STREAMS_PER_CONNECTION",
          "POOL_UNUSED_RELEASE_TIMEOUT",
          "HTTP2_STREAM_WINDOW_SIZE",
          "HTTP2_CONNECTION_WINDOW_SIZE",
          "HTTP2_FRAME_SIZE",
          "HTTP2_MAX_CONCURRENT_STREAMS",
          "HTTP2_MAX_HEADER_LIST_SIZE",
          "CONNECT_TIMEOUT",
          "TLS_HANDSHAKE_TIMEOUT",
          "INBOUND_TUNNELS_PER_SOURCE",
          "INBOUND_PENDING_TUNNELS",
          "INBOUND_PENDING_TUNNELS_PER_SOURCE",
          "INBOUND_TUNNEL_IDLE_TIMEOUT",
          "TRUST_DOMAIN_ALIASES",
          "CRL_PATH",
          "READINESS_ADDR",
          "STATS_ADDR",
          "ADMIN_ADDR",
          "LOG_FORMAT");
  private static final List<String> VALUES =
      List.of(
          "true",
          "25%",
          "-1%",
          "0",
          "1",
          "65536",
          "99999999999",
          "1e9",
          "0x10",
          "24h",
          "1h30m",
          "9999999999999d",
          "0s",
          "127.0.0.1:80",
          "[::1]:80",
          "[::1:99999",
          "localhost:-1",
          "http://x:1",
          "https://[::1]:15012/p?q#f",
          "://",
          "cluster.local,a b",
          "a,,b/c",
          "json",
          "shared");

  @Property(tries = 3000)
  void anyEnvironment(@ForAll long seed) {
    Random random = new Random(seed);
    Map<String, String> variables = new HashMap<>();
    for (int i = random.nextInt(5); i >= 0; i--) {
      variables.put(NAMES.get(random.nextInt(NAMES.size())), value(random));
    }
    try {
      ZtunnelSettings.of(new Environment(variables), 1 + random.nextInt(8)).describe();
    } catch (SettingsException e) {
      String message = String.valueOf(e.getMessage());
      if (variables.keySet().stream().noneMatch(message::contains)) {
        throw new AssertionError("names none of " + variables + ": " + message, e);
      }
    }
  }

  private static String value(Random random) {
    if (random.nextInt(3) > 0) {
      return VALUES.get(random.nextInt(VALUES.size()));
    }
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      text.append((char) (1 + random.nextInt(random.nextBoolean() ? 0x7e : 0x2ff)));
    }
    return text.toString();
  }
}
