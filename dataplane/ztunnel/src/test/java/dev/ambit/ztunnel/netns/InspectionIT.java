package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a person, a scraper and a profiler can ask a running ztunnel. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class InspectionIT {
  private static final int PORT = 8080;

  private Mesh mesh;

  @BeforeAll
  void start() {
    mesh = Mesh.start(Map.of("LOG_LEVEL", "info,access=warn"));
  }

  @AfterAll
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private static Struct json(String text) throws IOException {
    var struct = Struct.newBuilder();
    JsonFormat.parser().merge(text, struct);
    return struct.build();
  }

  private static Struct connections(ZtunnelProcess ztunnel, Pod pod) throws IOException {
    return json(ztunnel.configDump())
        .getFieldsOrThrow("workloadState")
        .getStructValue()
        .getFieldsOrThrow(pod.uid())
        .getStructValue()
        .getFieldsOrThrow("connections")
        .getStructValue();
  }

  @Test
  void theDumpShowsWhatIsOpenAndForgetsWhatIsNot() throws IOException {
    var client = mesh.captured(mesh.a(), "seen-client");
    var server = mesh.captured(mesh.b(), "seen-server");
    var target = server.ipv4().getHostAddress() + ":" + PORT;
    try (var echo = TcpServer.echo(server, PORT);
        var open = TcpClient.connect(client, server.at(PORT))) {
      assertThat(open.echo("open")).isEqualTo("open");
      var outbound =
          connections(mesh.a().ztunnel(), client)
              .getFieldsOrThrow("outbound")
              .getListValue()
              .getValues(0)
              .getStructValue();
      assertThat(outbound.getFieldsOrThrow("originalDst").getStringValue()).isEqualTo(target);
      assertThat(outbound.getFieldsOrThrow("actualDst").getStringValue())
          .isEqualTo(server.ipv4().getHostAddress() + ":15008");
      assertThat(outbound.getFieldsOrThrow("protocol").getStringValue()).isEqualTo("HBONE");
      assertThat(outbound.getFieldsOrThrow("peerIdentity").getStringValue())
          .isEqualTo(server.identity());
      var inbound =
          connections(mesh.b().ztunnel(), server)
              .getFieldsOrThrow("inbound")
              .getListValue()
              .getValues(0)
              .getStructValue();
      assertThat(inbound.getFieldsOrThrow("src").getStringValue())
          .startsWith(client.ipv4().getHostAddress() + ":");
      assertThat(inbound.getFieldsOrThrow("actualDst").getStringValue()).isEqualTo(target);
      assertThat(inbound.getFieldsOrThrow("peerIdentity").getStringValue())
          .isEqualTo(client.identity());
    }
    await()
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        connections(mesh.a().ztunnel(), client)
                            .getFieldsOrThrow("outbound")
                            .getListValue()
                            .getValuesCount())
                    .isZero());
  }

  @Test
  void whoSendsPlaintextIsTold() throws IOException {
    var plain = mesh.uncaptured(mesh.a(), "plain-teller");
    var meshed = mesh.captured(mesh.a(), "meshed-teller");
    var server = mesh.captured(mesh.b(), "told-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(meshed, server.at(PORT));
      Calls.answered(plain, server.at(PORT));
      await("the caller is told, and what came by a tunnel is not")
          .atMost(Patience.LONG)
          .untilAsserted(
              () ->
                  assertThat(mesh.b().ztunnel().plaintext())
                      .contains("\"destination\":\"" + server.name() + "\"")
                      .contains(server.uid())
                      .satisfiesAnyOf(
                          told -> assertThat(told).contains(plain.ipv4().getHostAddress()),
                          told -> assertThat(told).contains(plain.name()))
                      .doesNotContain("\"workload\":\"" + meshed.name() + "\""));
    }
  }

  @Test
  void levelsAreSetAndTakenBack() throws IOException {
    var ztunnel = mesh.a().ztunnel();
    var client = mesh.captured(mesh.a(), "level-client");
    var server = mesh.captured(mesh.b(), "level-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      assertThat(ztunnel.admin("POST", "/logging?level=info,access=debug").body())
          .contains("access=debug");
      Calls.answered(client, server.at(PORT));
      ztunnel.awaitLog(
          "the beginning of a connection",
          line ->
              line.text().contains("connection opened") && line.has("src.workload", client.name()));
      assertThat(ztunnel.admin("POST", "/logging?reset").body()).contains("access=warn");
      assertThat(ztunnel.admin("POST", "/logging?level=loud").status()).isEqualTo(400);
      assertThat(ztunnel.admin("GET", "/logging").body()).contains("access=warn");
    }
  }

  @Test
  void metricsComeAsTheScraperWantsThem() throws IOException {
    var ztunnel = mesh.a().ztunnel();
    var plain = ztunnel.scrape();
    assertThat(plain.head()).contains("content-type: text/plain; version=0.0.4");
    assertThat(plain.body()).contains("# TYPE ambit_tls_handshake_failures_total counter\n");
    var open =
        ztunnel.scrape(
            "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "Accept-Encoding: gzip");
    assertThat(open.head())
        .contains("content-type: application/openmetrics-text")
        .contains("content-encoding: gzip");
    try (var unzipped = new GZIPInputStream(new ByteArrayInputStream(open.bytes()))) {
      assertThat(new String(unzipped.readAllBytes(), StandardCharsets.UTF_8))
          .contains("# TYPE ambit_tls_handshake_failures counter\n")
          .endsWith("# EOF\n");
    }
  }

  @Test
  void aProfileIsRecordedWhileTrafficAndProbesGoOn(@TempDir Path directory) throws Exception {
    var ztunnel = mesh.a().ztunnel();
    var client = mesh.captured(mesh.a(), "profiled-client");
    var server = mesh.captured(mesh.b(), "profiled-server");
    try (var echo = TcpServer.echo(server, PORT)) {
      var profile =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return ztunnel.admin("GET", "/debug/jfr?seconds=5");
                } catch (IOException e) {
                  throw new IllegalStateException(e);
                }
              });
      await("the recording has begun")
          .atMost(Patience.LONG)
          .until(() -> ztunnel.logText().contains("flight recording begins"));
      assertThat(ztunnel.isReady()).isTrue();
      assertThat(ztunnel.admin("GET", "/debug/jfr?seconds=1").status()).isEqualTo(409);
      Calls.answered(client, server.at(PORT));
      var answer = profile.get(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
      assertThat(answer.status()).isEqualTo(200);
      var file = Files.write(directory.resolve("ztunnel.jfr"), answer.bytes());
      assertThat(RecordingFile.readAllEvents(file))
          .extracting(event -> event.getEventType().getName())
          .contains("jdk.CPULoad")
          .doesNotContain("jdk.InitialEnvironmentVariable");
    }
    assertThat(ztunnel.admin("GET", "/debug/heap").body())
        .contains("#instances", "java.lang.String");
  }

  @Test
  void onlyTheZtunnelsOwnPodCanAsk() {
    var pod = mesh.a().ztunnel().pod();
    assertThatThrownBy(
            () -> HttpProbe.get(pod.host(), new InetSocketAddress(pod.ipv4(), 15000), "/"))
        .isInstanceOf(IOException.class);
  }

  @Test
  void aZtunnelThatIsToldToQuitEndsInGoodOrder() throws IOException {
    var first = mesh.a().ztunnel();
    assertThat(first.admin("GET", "/quitquitquit").status()).isEqualTo(405);
    assertThat(first.admin("POST", "/quitquitquit").status()).isEqualTo(200);
    assertThat(first.awaitExit(Patience.LONG)).isZero();
    assertThat(first.logText()).contains("draining", "ztunnel ends");
    mesh.a().startZtunnel();
    mesh.a().awaitReady();
    mesh.a().agent().awaitZtunnels(1);
  }
}
