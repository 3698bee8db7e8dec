package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/** Callers that send too much of something: others are served meanwhile, and memory is bounded. */
@Timeout(240)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FloodIT {
  private static final int PORT = 8080;
  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int WINDOW_UPDATE = 8;
  private static final int CONTINUATION = 9;
  private static final int END_HEADERS = 4;

  /**
   * Both ends of each are descriptors of the test's process, which must have fewer than 1024:
   * libnftables, with which other tests here set up their pods, works with no more.
   */
  private static final int IDLE = 120;

  /** Of resident memory, in KiB: far above what it needs, far below what a flood would take. */
  private static final long MUCH = 200 << 10;

  private Mesh mesh;
  private Pod attacker;
  private Pod caller;
  private Pod server;
  private TcpServer echo;
  private long memoryBefore;

  @BeforeAll
  void start() throws IOException {
    // Looking for leaks in every buffer would be what takes the memory here.
    mesh = Mesh.start(Map.of("AMBIT_JVM_OPTIONS", "-Dio.netty.leakDetection.level=simple"));
    attacker = mesh.uncaptured(mesh.a(), "attacker");
    caller = mesh.captured(mesh.a(), "caller");
    server = mesh.captured(mesh.b(), "server");
    echo = TcpServer.echo(server, PORT);
    Calls.answered(caller, server.at(PORT));
    memoryBefore = mesh.b().ztunnel().residentKibibytes();
  }

  @AfterAll
  void stop() throws IOException {
    if (echo != null) {
      echo.close();
    }
    if (mesh != null) {
      mesh.close();
    }
  }

  @AfterEach
  void othersAreServedAndMemoryIsBounded() {
    Calls.answered(caller, server.at(PORT));
    assertThat(mesh.b().ztunnel().residentKibibytes() - memoryBefore)
        .as("growth of resident memory in KiB")
        .isLessThan(MUCH);
  }

  private HboneClient hbone() throws IOException {
    return HboneClient.connect(
        attacker.host(),
        server.at(15008),
        mesh.authority(),
        mesh.authority().workload(attacker.identity()));
  }

  /** Sends what {@code flood} sends until the ztunnel cuts it off, or it is done. */
  private interface Flood {
    void send(HboneClient hbone) throws IOException;
  }

  private void withstands(Flood flood) throws IOException {
    try (var hbone = hbone();
        var live = TcpClient.connect(caller, server.at(PORT))) {
      assertThat(live.echo("before")).isEqualTo("before");
      var sender =
          Thread.ofPlatform()
              .daemon()
              .start(
                  () -> {
                    try {
                      flood.send(hbone);
                    } catch (IOException cutOff) {
                      // This is how it should be.
                    }
                  });
      long slowest = 0;
      while (sender.isAlive()) {
        long before = System.nanoTime();
        assertThat(live.echo("during")).isEqualTo("during");
        slowest = Math.max(slowest, System.nanoTime() - before);
      }
      assertThat(Duration.ofNanos(slowest)).isLessThan(Patience.SHORT);
    }
  }

  @Test
  void streamsThatAreResetAtOnce() throws IOException {
    withstands(
        hbone -> {
          var target = server.ipv4().getHostAddress() + ":" + PORT;
          for (int i = 0; i < 5000; i++) {
            int stream = 2 * i + 1;
            hbone.frame(HEADERS, END_HEADERS, stream, hbone.connectHeaders(stream, target));
            hbone.frame(RST_STREAM, 0, stream, new byte[] {0, 0, 0, 8});
          }
        });
    await("conversations that were reset are over")
        .atMost(Patience.LONG)
        .until(() -> echo.open() <= 1);
  }

  @Test
  void pings() throws IOException {
    withstands(
        hbone -> {
          for (int i = 0; i < 50_000; i++) {
            hbone.frame(PING, 0, 0, new byte[8]);
          }
        });
  }

  @Test
  void settings() throws IOException {
    withstands(
        hbone -> {
          for (int i = 0; i < 50_000; i++) {
            hbone.frame(SETTINGS, 0, 0, new byte[0]);
          }
        });
  }

  @Test
  void dataWithoutBytes() throws IOException {
    var target = server.ipv4().getHostAddress() + ":" + PORT;
    withstands(
        hbone -> {
          hbone.frame(HEADERS, END_HEADERS, 1, hbone.connectHeaders(1, target));
          for (int i = 0; i < 50_000; i++) {
            hbone.frame(DATA, 0, 1, new byte[0]);
          }
        });
  }

  @Test
  void windowsThatGrowByteByByte() throws IOException {
    withstands(
        hbone -> {
          for (int i = 0; i < 50_000; i++) {
            hbone.frame(WINDOW_UPDATE, 0, 0, new byte[] {0, 0, 0, 1});
          }
        });
  }

  @Test
  void requestsThatAreRefusedAndWhoseAnswersAreNotRead() throws IOException {
    withstands(
        hbone -> {
          for (int i = 0; i < 50_000; i++) {
            int stream = 2 * i + 1;
            hbone.frame(HEADERS, END_HEADERS, stream, hbone.connectHeaders(stream, "nobody"));
          }
        });
  }

  @Test
  void headersWithoutEnd() throws IOException {
    withstands(
        hbone -> {
          hbone.frame(HEADERS, 0, 1, new byte[0]);
          for (int i = 0; i < 20_000; i++) {
            hbone.frame(CONTINUATION, 0, 1, new byte[16_000]);
          }
        });
  }

  @Test
  void emptyContinuations() throws IOException {
    withstands(
        hbone -> {
          hbone.frame(HEADERS, 0, 1, new byte[0]);
          for (int i = 0; i < 50_000; i++) {
            hbone.frame(CONTINUATION, 0, 1, new byte[0]);
          }
        });
  }

  @Test
  void headersThatAreTooLargeEndTheStreamOrTheTunnel() throws IOException {
    try (var hbone = hbone()) {
      var large = Map.of("x-large", "y".repeat(8000), "x-larger", "z".repeat(8000));
      assertThat(hbone.request("CONNECT", server.ipv4().getHostAddress() + ":" + PORT, large))
          .isEqualTo("200");
    }
    try (var hbone = hbone()) {
      var block = new ByteArrayOutputStream();
      block.writeBytes(hbone.connectHeaders(1, server.ipv4().getHostAddress() + ":" + PORT));
      for (int i = 0; i < 30; i++) {
        // A literal without indexing, of a name of 1 byte and a value of 10,000.
        block.writeBytes(new byte[] {0, 1, 'x', 0x7f, (byte) 0x91, 0x4d});
        block.writeBytes("v".repeat(10_000).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
      }
      var bytes = block.toByteArray();
      int size = 16_000;
      for (int at = 0; at < bytes.length; at += size) {
        int end = Math.min(bytes.length, at + size);
        hbone.frame(
            at == 0 ? HEADERS : CONTINUATION,
            end == bytes.length ? END_HEADERS : 0,
            1,
            java.util.Arrays.copyOfRange(bytes, at, end));
      }
      hbone.expectStream(1);
      hbone.awaitEnd();
    } catch (java.net.SocketTimeoutException e) {
      throw e;
    } catch (IOException cutOff) {
      // This is how it should be.
    }
  }

  @Test
  void moreStreamsThanAreGrantedAreRefusedOneByOne() throws IOException {
    var target = server.ipv4().getHostAddress() + ":" + PORT;
    try (var hbone = hbone()) {
      for (int i = 0; i < 300; i++) {
        int stream = 2 * i + 1;
        hbone.frame(HEADERS, END_HEADERS, stream, hbone.connectHeaders(stream, target));
      }
      var outcomes = hbone.awaitOutcomes(300);
      assertThat(outcomes.get("200")).isEqualTo(200);
      assertThat(outcomes.get("reset")).isEqualTo(100);
    }
    await("all conversations are over").atMost(Patience.LONG).until(() -> echo.open() <= 1);
  }

  @Test
  void anAnswerThatIsNotReadIsHeldBackAtItsServer() throws Exception {
    TcpServer.Conversation endless =
        socket -> {
          var bytes = new byte[1 << 16];
          while (true) {
            socket.getOutputStream().write(bytes);
          }
        };
    try (var sending = TcpServer.start(server, PORT + 1, endless);
        var hbone = hbone()) {
      var target = server.ipv4().getHostAddress() + ":" + (PORT + 1);
      for (int i = 0; i < 50; i++) {
        int stream = 2 * i + 1;
        hbone.frame(HEADERS, END_HEADERS, stream, hbone.connectHeaders(stream, target));
      }
      for (int i = 0; i < 20; i++) {
        Calls.answered(caller, server.at(PORT));
      }
      othersAreServedAndMemoryIsBounded();
    }
  }

  @Test
  void connectionsThatAreGivenUpAtOnceLeaveNothing() throws Exception {
    long before = mesh.a().ztunnel().openDescriptors() + mesh.b().ztunnel().openDescriptors();
    var targets =
        new InetSocketAddress[] {
          server.at(PORT), server.at(9), server.at(15008), new InetSocketAddress("10.2.0.250", 80)
        };
    for (int i = 0; i < 400; i++) {
      for (var from : new Pod[] {caller, attacker}) {
        try {
          TcpClient.connect(from.host(), targets[i % 3], Duration.ofSeconds(2)).reset();
        } catch (IOException refused) {
          // As good.
        }
      }
    }
    for (int i = 0; i < 50; i++) {
      TcpClient.connect(caller, targets[3]).reset();
    }
    await("descriptors are closed again")
        .atMost(Patience.LONG)
        .untilAsserted(
            () ->
                assertThat(
                        mesh.a().ztunnel().openDescriptors() + mesh.b().ztunnel().openDescriptors())
                    .isLessThanOrEqualTo(before + 8));
  }

  @Test
  void manyIdleConnectionsAreHeldCheaply() throws Exception {
    var open = new ArrayList<Socket>();
    try {
      for (int i = 0; i < IDLE; i++) {
        var connection = TcpClient.connect(caller, server.at(PORT));
        open.add(connection.socket());
        if (i % 100 == 0) {
          assertThat(connection.echo("hello")).isEqualTo("hello");
        }
      }
      Calls.answered(caller, server.at(PORT));
      await("all have arrived").atMost(Patience.LONG).until(() -> echo.open() >= IDLE);
      assertThat(mesh.b().ztunnel().residentKibibytes() - memoryBefore).isLessThan(MUCH / 2);
    } finally {
      for (var socket : open) {
        socket.close();
      }
    }
    await("all are over").atMost(Patience.LONG).until(() -> echo.open() == 0);
  }
}
