package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real Envoy judges tunnels as policies say, before anything went through them. */
class ConnectSecurityIT {
  private static final String CLIENT = "spiffe://cluster.local/ns/default/sa/client";
  private static final String OTHER = "spiffe://cluster.local/ns/other/sa/client";

  private static ConnectSecurity.Port port(
      PortProtocol protocol, int port, AuthorizationPolicy... policies) {
    return new ConnectSecurity.Port(
        List.of(
            Destination.of("10.0.0.1", port).orElseThrow(),
            Destination.of("2001:DB8:0:0:0:0:0:1", port).orElseThrow()),
        protocol,
        Policies.attached(policies));
  }

  private static List<TypedExtensionConfig> filters(ConnectSecurity.Port... ports) {
    List<TypedExtensionConfig> filters =
        new ArrayList<>(ConnectSecurity.resources(Arrays.asList(ports), Policies.settings()));
    // The rest stands in the listener itself.
    ConnectSecurity.filters().stream()
        .skip(filters.size())
        .forEach(
            filter ->
                filters.add(
                    TypedExtensionConfig.newBuilder()
                        .setName(filter.getName())
                        .setTypedConfig(filter.getTypedConfig())
                        .build()));
    return filters;
  }

  private static RawHttp.Request to(String destination, String peer) {
    return RawHttp.Request.get(
        "/", SecurityEnvoy.DESTINATION + ": " + destination, SecurityEnvoy.PEER + ": " + peer);
  }

  @Test
  void whoMayConnectWhere(@TempDir Path folder) throws IOException {
    AuthorizationPolicy client =
        Policies.policy(
            "client",
            "rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/client]}}]}]");
    AuthorizationPolicy get =
        Policies.policy("get", "rules: [{to: [{operation: {methods: [GET]}}]}]");
    AuthorizationPolicy denyPost =
        Policies.policy(
            "post",
            "{action: DENY, rules: [{from: [{source: {namespaces: [other]}}], to: [{operation:"
                + " {methods: [POST]}}]}]}");
    AuthorizationPolicy port2 =
        Policies.policy(
            "port", "{action: DENY, rules: [{to: [{operation: {ports: ['2', '5']}}]}]}");
    AuthorizationPolicy block =
        Policies.policy(
            "block",
            "rules: [{from: [{source: {ipBlocks: [127.0.0.0/30], notIpBlocks: [127.0.0.2]}}],"
                + " when: [{key: destination.ip, values: [10.0.0.0/8, '2001:db8::/32']}]}]");
    AuthorizationPolicy custom =
        Policies.policy(
            "custom",
            "{action: CUSTOM, provider: {name: x}, rules: [{from: [{source: {namespaces:"
                + " [other]}}]}]}");
    AuthorizationPolicy tried = Policies.dryRun(Policies.policy("tried", "{}"));
    SecurityEnvoy configuration =
        new SecurityEnvoy()
            .listener(
                "tunnels",
                filters(
                    port(PortProtocol.TCP, 1, client),
                    port(PortProtocol.TCP, 2, port2),
                    port(PortProtocol.TLS, 3, get),
                    port(PortProtocol.TCP, 4, denyPost),
                    port(PortProtocol.TCP, 5, client, port2),
                    port(PortProtocol.TCP, 6, block),
                    port(PortProtocol.TCP, 7, custom),
                    port(PortProtocol.TCP, 8, tried),
                    port(PortProtocol.HTTP, 9, client),
                    port(PortProtocol.DETECTED, 10, client),
                    port(PortProtocol.DETECTED, 11, get),
                    port(PortProtocol.TCP, 12)))
            .listener("nothing", filters());
    try (EnvoyProcess envoy = configuration.start(folder)) {
      int port = envoy.port("tunnels");
      for (String host : List.of("10.0.0.1", "[2001:db8::1]")) {
        expect(port, host + ":1", CLIENT, 200);
        expect(port, host + ":1", OTHER, 403);
        expect(port, host + ":2", CLIENT, 403);
        expect(port, host + ":3", CLIENT, 403);
        expect(port, host + ":4", CLIENT, 200);
        expect(port, host + ":4", OTHER, 403);
        expect(port, host + ":5", CLIENT, 403);
        expect(port, host + ":6", CLIENT, 200);
        expect(port, host + ":7", CLIENT, 200);
        expect(port, host + ":7", OTHER, 403);
        expect(port, host + ":8", OTHER, 200);
        expect(port, host + ":9", OTHER, 200);
        expect(port, host + ":12", OTHER, 200);
        // The same place, spelt otherwise.
        expect(port, host + ":0001", OTHER, 403);
      }
      expect(port, "[2001:db8:0:0:0:0:0:1]:1", OTHER, 403);
      expect(port, "10.0.0.2:1", OTHER, 200);
      try (RawHttp connection = RawHttp.connect(port, "127.0.0.2")) {
        assertThat(connection.send(to("10.0.0.1:6", CLIENT)).status()).isEqualTo(403);
      }
      assertThat(verdict(port, "10.0.0.1:10", CLIENT)).isEqualTo(ConnectSecurity.ALLOWED);
      assertThat(verdict(port, "10.0.0.1:10", OTHER)).isEqualTo("denied");
      assertThat(verdict(port, "10.0.0.1:11", CLIENT)).isEqualTo("denied");
      assertThat(verdict(port, "10.0.0.1:1", CLIENT)).isEqualTo(ConnectSecurity.ALLOWED);
      assertThat(envoy.stat("http.tunnels.rbac.istio_dry_run_.shadow_denied")).isEqualTo(2);
      assertThat(verdict(envoy.port("nothing"), "10.0.0.1:1", OTHER))
          .isEqualTo(ConnectSecurity.ALLOWED);
    }
  }

  private static void expect(int port, String destination, String peer, int status)
      throws IOException {
    assertThat(RawHttp.once(port, to(destination, peer)).status())
        .as(peer + " to " + destination)
        .isEqualTo(status);
  }

  private static String verdict(int port, String destination, String peer) throws IOException {
    RawHttp.Response response = RawHttp.once(port, to(destination, peer));
    assertThat(response.status()).isEqualTo(200);
    return response.header("x-verdict");
  }
}
