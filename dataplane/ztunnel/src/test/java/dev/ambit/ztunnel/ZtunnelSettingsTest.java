package dev.ambit.ztunnel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.ztunnel.dns.DnsSettings;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.telemetry.LogFormat;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ZtunnelSettingsTest {
  private static ZtunnelSettings read(String... namesAndValues) throws SettingsException {
    return read(2, namesAndValues);
  }

  private static ZtunnelSettings read(int processors, String... namesAndValues)
      throws SettingsException {
    Map<String, String> variables = new HashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      variables.put(namesAndValues[i], namesAndValues[i + 1]);
    }
    return ZtunnelSettings.of(new Environment(variables), processors);
  }

  @Test
  void withoutVariablesItRunsAsInACluster() throws SettingsException {
    ZtunnelSettings settings = read();
    assertThat(settings.xds()).hasToString("https://ambit-operator.ambit-system.svc:15012");
    assertThat(settings.authority()).isEqualTo(settings.xds());
    assertThat(settings.agentSocket()).isEqualTo(Path.of("/var/run/ztunnel/ztunnel.sock"));
    assertThat(settings.certificateLifetime()).isEqualTo(Duration.ofHours(24));
    assertThat(settings.drainDeadline()).isEqualTo(Duration.ofSeconds(5));
    assertThat(settings.proxy().mark()).isEqualTo(0x539);
    assertThat(settings.readiness().getPort()).isEqualTo(15021);
    assertThat(settings.stats().getPort()).isEqualTo(15020);
    assertThat(settings.admin()).isEqualTo(new InetSocketAddress("127.0.0.1", 15000));
    assertThat(settings.logFormat()).isEqualTo(LogFormat.TEXT);
    assertThat(settings.xdsHeaders()).containsExactly(Map.entry("clusterid", "Kubernetes"));
  }

  @Test
  void dnsIsAnsweredAtTheLoopbackUnlessSwitchedOff() throws SettingsException {
    DnsSettings dns = read().dns().orElseThrow();
    assertThat(dns.port()).isEqualTo(15053);
    assertThat(dns.listen())
        .containsExactly(InetAddress.ofLiteral("127.0.0.1"), InetAddress.ofLiteral("::1"));
    assertThat(dns.clusterDomain()).isEqualTo("cluster.local");
    assertThat(read("ISTIO_META_DNS_CAPTURE", "false").dns()).isEmpty();
    assertThat(read("IPV6_ENABLED", "false").dns().orElseThrow().listen())
        .containsExactly(InetAddress.ofLiteral("127.0.0.1"));
    assertThat(read("ISTIO_META_DNS_PROXY_ADDR", "localhost:1053").dns().orElseThrow())
        .satisfies(other -> assertThat(other.port()).isEqualTo(1053))
        .satisfies(other -> assertThat(other.listen()).hasSize(2));
    assertThat(read("ISTIO_META_DNS_PROXY_ADDR", "127.0.0.2:53").dns().orElseThrow().listen())
        .containsExactly(InetAddress.ofLiteral("127.0.0.2"));
    assertThatThrownBy(() -> read("ISTIO_META_DNS_PROXY_ADDR", "dns:53"))
        .hasMessageContaining("ISTIO_META_DNS_PROXY_ADDR");
  }

  @Test
  void oneOfAPodsOwnNamesItAndMarksNothing() throws SettingsException {
    ZtunnelSettings settings =
        read("PROXY_MODE", "dedicated", "PROXY_WORKLOAD_INFO", "shop/web-1/web");
    assertThat(settings.dedicated())
        .isEqualTo(new LocalPod("shop/web-1/web", "web-1", "shop", "web"));
    assertThat(settings.proxy().mark()).isZero();
    assertThat(read().dedicated()).isNull();
    for (String wrong : List.of("shop/web-1", "shop//web", "a/b/c/d")) {
      assertThatThrownBy(() -> read("PROXY_MODE", "dedicated", "PROXY_WORKLOAD_INFO", wrong))
          .isInstanceOf(SettingsException.class)
          .hasMessageContaining("PROXY_WORKLOAD_INFO is '" + wrong + "'");
    }
  }

  @Test
  void aDocumentStandsForAControlPlaneUnlessThereIsOneToo() throws SettingsException {
    assertThat(read().mesh().controlPlane()).isTrue();
    assertThat(read().mesh().onDemand()).isFalse();
    assertThat(read("LOCAL_XDS", "{}").mesh().controlPlane()).isFalse();
    assertThat(read("LOCAL_XDS_PATH", "/x").mesh().file()).contains(Path.of("/x"));
    assertThat(read("LOCAL_XDS", "{}", "XDS_ADDRESS", "http://x:1").mesh().controlPlane()).isTrue();
    assertThatThrownBy(() -> read("LOCAL_XDS", "{}", "LOCAL_XDS_PATH", "/x"))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining("LOCAL_XDS_PATH and LOCAL_XDS are both set");
  }

  @Test
  void variablesHaveIstiosNames() throws SettingsException {
    ZtunnelSettings settings =
        read(
            "XDS_ADDRESS", "http://127.0.0.1:15010",
            "CA_ADDRESS", "https://[fd00::1]:15012",
            "XDS_ROOT_CA", "/xds.pem",
            "CA_ROOT_CA", "/ca.pem",
            "INPOD_UDS", "/tmp/z.sock",
            "NODE_NAME", "node-7",
            "POD_NAME", "ztunnel-abc",
            "POD_NAMESPACE", "mesh",
            "INSTANCE_IP", "10.1.2.3",
            "CLUSTER_ID", "west",
            "NETWORK", "net-1",
            "SECRET_TTL", "1h30m",
            "TERMINATION_GRACE_PERIOD_SECONDS", "30",
            "IPV6_ENABLED", "false",
            "PACKET_MARK", "0x53a",
            "LOG_FORMAT", "json",
            "ADMIN_ADDR", "localhost:25000",
            "STATS_ADDR", "[::]:25020",
            "XDS_HEADER_X_TENANT", "one");
    assertThat(settings.xds().secure()).isFalse();
    assertThat(settings.xds().port()).isEqualTo(15010);
    assertThat(settings.authority().host()).isEqualTo("fd00::1");
    assertThat(settings.authority().rootFile()).isEqualTo(Path.of("/ca.pem"));
    assertThat(settings.node().nodeName()).isEqualTo("node-7");
    assertThat(settings.node().ip()).isEqualTo("10.1.2.3");
    assertThat(settings.network()).isEqualTo("net-1");
    assertThat(settings.certificateLifetime()).isEqualTo(Duration.ofMinutes(90));
    assertThat(settings.drainDeadline()).isEqualTo(Duration.ofSeconds(25));
    assertThat(settings.proxy().ipv6()).isFalse();
    assertThat(settings.proxy().mark()).isEqualTo(0x53a);
    assertThat(settings.logFormat()).isEqualTo(LogFormat.JSON);
    assertThat(settings.admin().getPort()).isEqualTo(25000);
    assertThat(settings.stats().getPort()).isEqualTo(25020);
    assertThat(settings.xdsHeaders()).containsEntry("x-tenant", "one");
    assertThat(settings.authorityHeaders()).containsOnlyKeys("clusterid");
  }

  @ParameterizedTest
  @CsvSource({
    "XDS_ADDRESS, ftp://x:1",
    "XDS_ADDRESS, https://",
    "CA_ADDRESS, 'https://a b'",
    "PROXY_MODE, dedicated",
    "XDS_ON_DEMAND, perhaps",
    "PROXY_MODE, other",
    "SECRET_TTL, soon",
    "SECRET_TTL, 1h x",
    "SECRET_TTL, 99999999999999d",
    "TERMINATION_GRACE_PERIOD_SECONDS, -1",
    "CONNECTION_TERMINATION_DEADLINE, x",
    "ZTUNNEL_WORKER_THREADS, 0",
    "ZTUNNEL_WORKER_THREADS, 0%",
    "ZTUNNEL_WORKER_THREADS, many",
    "IPV6_ENABLED, maybe",
    "PACKET_MARK, 0",
    "ADMIN_ADDR, 15000",
    "ADMIN_ADDR, example.com:1",
    "STATS_ADDR, '[::]:99999'",
    "HTTP2_STREAM_WINDOW_SIZE, 100000000",
    "HTTP2_FRAME_SIZE, 1",
    "LOG_LEVEL, loud",
    "LOG_FORMAT, xml"
  })
  void aBadValueIsNamed(String name, String value) {
    assertThatThrownBy(() -> read(name, value))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining(name);
  }

  @ParameterizedTest
  @CsvSource({"1, '', 1", "2, '', 1", "4, '', 2", "16, '', 4", "16, 50%, 8", "2, 3, 3"})
  void workerThreadsFollowTheProcessors(int processors, String value, int threads)
      throws SettingsException {
    assertThat(read(processors, "ZTUNNEL_WORKER_THREADS", value).workerThreads())
        .isEqualTo(threads);
  }

  @ParameterizedTest
  @CsvSource({"30, 25", "10, 9", "1, 0", "0, 5"})
  void theDrainDeadlineLeavesTimeToEnd(String grace, int seconds) throws SettingsException {
    assertThat(read("TERMINATION_GRACE_PERIOD_SECONDS", grace).drainDeadline())
        .isEqualTo(Duration.ofSeconds(seconds));
  }

  @Test
  void theTokenIsReadAnewForEachCall(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("token");
    ZtunnelSettings settings = read("AUTH_TOKEN", file.toString());
    assertThatThrownBy(() -> settings.token().header()).isInstanceOf(IOException.class);
    Files.writeString(file, "one\n");
    assertThat(settings.token().header()).hasValue("Bearer one");
    Files.writeString(file, "two");
    assertThat(settings.token().header()).hasValue("Bearer two");
    assertThat(read("AUTH_TOKEN", "").token().header()).isEmpty();
  }
}
