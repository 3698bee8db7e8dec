package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** A TCP connection through two ztunnels behaves like one without them. */
@Timeout(240)
@ParameterizedClass(name = "{0}")
@MethodSource("dev.ambit.ztunnel.netns.ZtunnelPair#all")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ConnectionIT {
  private static final int PORT = 8080;
  private static final int MEGABYTE = 1 << 20;

  @Parameter ZtunnelPair pair;

  private Mesh mesh;
  private Pod client;
  private Pod plainClient;
  private Pod server;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  ConnectionIT() {}

  @BeforeParameterizedClassInvocation
  void start() {
    mesh = pair.start(Map.of());
    client = mesh.captured(mesh.a(), "client");
    plainClient = mesh.uncaptured(mesh.a(), "plain");
    server = mesh.captured(mesh.b(), "server");
  }

  @AfterParameterizedClassInvocation
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  /** Runs {@code work} {@code times} times at once, each on a platform thread, and waits. */
  private static void atOnce(int times, Callable<?> work) throws Exception {
    try (var threads = Executors.newFixedThreadPool(times)) {
      var running = new ArrayList<Future<?>>();
      for (int i = 0; i < times; i++) {
        running.add(threads.submit(work));
      }
      try {
        for (var one : running) {
          one.get(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
        }
      } catch (ExecutionException | TimeoutException e) {
        threads.shutdownNow();
        throw e;
      }
    }
  }

  @Test
  void aClientThatFinishesSendingStillGetsTheWholeAnswer() throws Exception {
    var answer = new byte[3 * MEGABYTE];
    new Random(1).nextBytes(answer);
    TcpServer.Conversation answersAtTheEnd =
        socket -> {
          var question = socket.getInputStream().readAllBytes();
          socket.getOutputStream().write(question);
          socket.getOutputStream().write(answer);
        };
    try (var listening = TcpServer.start(server, PORT, answersAtTheEnd)) {
      for (var from : List.of(client, plainClient)) {
        atOnce(
            20,
            () -> {
              try (var connection = TcpClient.connect(from, server.at(PORT))) {
                connection.send("question");
                connection.finishSending();
                assertThat(connection.receive(8)).isEqualTo("question");
                assertThat(Arrays.equals(connection.receiveAll(), answer)).isTrue();
              }
              return null;
            });
      }
      assertThat(listening.failures()).isEmpty();
    }
  }

  @Test
  void aServerThatFinishesSendingStillGetsTheWholeQuestion() throws Exception {
    var question = new byte[3 * MEGABYTE];
    new Random(2).nextBytes(question);
    var received = new java.util.concurrent.LinkedBlockingQueue<byte[]>();
    TcpServer.Conversation finishesFirst =
        socket -> {
          socket.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
          socket.shutdownOutput();
          received.add(socket.getInputStream().readAllBytes());
        };
    try (var listening = TcpServer.start(server, PORT, finishesFirst)) {
      for (var from : List.of(client, plainClient)) {
        atOnce(
            20,
            () -> {
              try (var connection = TcpClient.connect(from, server.at(PORT))) {
                assertThat(connection.receiveAll()).asString().isEqualTo("hello");
                connection.send(question);
                connection.finishSending();
                var whole = received.poll(Patience.LONG.toSeconds(), TimeUnit.SECONDS);
                assertThat(Arrays.equals(whole, question)).isTrue();
              }
              return null;
            });
      }
      assertThat(listening.failures()).isEmpty();
    }
  }

  @Test
  void aClientsResetReachesTheServer() throws IOException {
    try (var listening = TcpServer.echo(server, PORT)) {
      for (var from : List.of(client, plainClient)) {
        var connection = TcpClient.connect(from, server.at(PORT));
        assertThat(connection.echo("hello")).isEqualTo("hello");
        connection.reset();
        await("the server learns of the reset")
            .atMost(Patience.LONG)
            .until(() -> listening.open() == 0);
      }
      assertThat(listening.failures()).as("conversations that were reset").hasSize(2);
    }
  }

  @Test
  void aServersResetReachesTheClient() throws IOException {
    TcpServer.Conversation resets =
        socket -> {
          socket.getInputStream().readNBytes(4);
          socket.setSoLinger(true, 0);
          socket.close();
        };
    try (var listening = TcpServer.start(server, PORT, resets)) {
      for (var from : List.of(client, plainClient)) {
        try (var connection = TcpClient.connect(from, server.at(PORT))) {
          connection.send("ping");
          assertThat(connection.awaitEnd()).isEqualTo(TcpClient.End.RESET);
        }
      }
    }
  }

  @Test
  void aPortWhereNobodyListensResetsTheClient() throws IOException {
    for (var from : List.of(client, plainClient)) {
      assertThat(endOf(from, server.at(9))).isEqualTo(TcpClient.End.RESET);
    }
    // And from here to a place outside the mesh.
    var outside = mesh.uncaptured(mesh.b(), "outside");
    assertThat(endOf(client, outside.at(9))).isEqualTo(TcpClient.End.RESET);
  }

  /** A reset may come before the program has seen that it is connected. */
  private static TcpClient.End endOf(Pod from, InetSocketAddress to) throws IOException {
    try (var connection = TcpClient.connect(from, to)) {
      return connection.awaitEnd();
    } catch (SocketException e) {
      assertThat(e).hasMessageContaining("reset");
      return TcpClient.End.RESET;
    }
  }

  @Test
  void fortyConnectionsCarryTenMegabytesEachWayUnharmed() throws Exception {
    var payload = new byte[10 * MEGABYTE];
    new Random(3).nextBytes(payload);
    try (var listening = TcpServer.echo(server, PORT)) {
      try (var threads = Executors.newFixedThreadPool(10)) {
        var running = new ArrayList<Future<?>>();
        for (int i = 0; i < 40; i++) {
          running.add(threads.submit(() -> exchange(payload)));
        }
        for (var one : running) {
          one.get(2 * Patience.LONG.toSeconds(), TimeUnit.SECONDS);
        }
      }
      assertThat(listening.failures()).isEmpty();
    }
  }

  private Void exchange(byte[] payload) throws Exception {
    try (var connection = TcpClient.connect(client, server.at(PORT))) {
      var sender =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      connection.send(payload);
                      connection.finishSending();
                    } catch (IOException e) {
                      // The receiving side of this connection fails with it.
                    }
                  });
      var echoed = connection.receiveAll();
      sender.join();
      assertThat(echoed.length).isEqualTo(payload.length);
      assertThat(Arrays.equals(echoed, payload)).isTrue();
    }
    return null;
  }

  @Test
  void connectionsWhoseServerDoesNotReadDoNotHoldUpOthers() throws Exception {
    var release = new java.util.concurrent.CountDownLatch(1);
    TcpServer.Conversation neverReads =
        socket -> {
          try {
            release.await(60, TimeUnit.SECONDS);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        };
    try (var stalling = TcpServer.start(server, PORT + 1, neverReads);
        var echo = TcpServer.echo(server, PORT)) {
      var stalled = new ArrayList<Socket>();
      for (int i = 0; i < 10; i++) {
        var connection = TcpClient.connect(client, server.at(PORT + 1));
        stalled.add(connection.socket());
        Thread.ofPlatform().daemon().start(() -> fill(connection));
      }
      Calls.answered(client, server.at(PORT));
      await("all of them are stalled").pollDelay(Duration.ofMillis(500)).until(() -> true);
      try (var live = TcpClient.connect(client, server.at(PORT))) {
        for (int i = 0; i < 100; i++) {
          long before = System.nanoTime();
          assertThat(live.echo("ping" + i)).isEqualTo("ping" + i);
          assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Patience.SHORT);
        }
      } finally {
        release.countDown();
        for (var socket : stalled) {
          socket.close();
        }
      }
    }
    Calls.refused(client, server.at(9));
  }

  private static void fill(TcpClient connection) {
    try {
      var bytes = new byte[MEGABYTE];
      for (int i = 0; i < 64; i++) {
        connection.send(bytes);
      }
    } catch (IOException closed) {
      // The test is over.
    }
  }

  @Test
  void aServerThatSpeaksFirstIsHeard() throws IOException {
    TcpServer.Conversation greets =
        socket -> {
          socket.getOutputStream().write("220 ready".getBytes(StandardCharsets.US_ASCII));
          socket.getInputStream().readAllBytes();
        };
    try (var listening = TcpServer.start(server, PORT, greets);
        var connection = TcpClient.connect(client, server.at(PORT))) {
      assertThat(connection.receive(9)).isEqualTo("220 ready");
    }
  }

  @Test
  void twoHundredConnectionsAtOnceShareFewTunnels() throws Exception {
    try (var wire = PacketCapture.betweenNodes(mesh.network());
        var echo = TcpServer.echo(server, PORT)) {
      var open = new ArrayList<TcpClient>();
      try {
        for (int i = 0; i < 200; i++) {
          open.add(TcpClient.connect(client, server.at(PORT)));
        }
        for (var connection : open) {
          assertThat(connection.echo("one of many")).isEqualTo("one of many");
        }
      } finally {
        for (var connection : open) {
          connection.close();
        }
      }
      long tunnels =
          wire.packets().stream()
              .filter(packet -> packet.isTcp() && packet.destinationPort() == 15008)
              .filter(packet -> (packet.flags() & 0x12) == 0x02)
              .count();
      assertThat(tunnels).as("tunnels for 200 connections").isLessThanOrEqualTo(8);
    }
  }

  @Test
  void connectionsThatAreOverLeaveNothingBehind() throws Exception {
    try (var echo = TcpServer.echo(server, PORT)) {
      Calls.answered(client, server.at(PORT));
      long before = mesh.a().ztunnel().openDescriptors() + mesh.b().ztunnel().openDescriptors();
      atOnce(
          4,
          () -> {
            for (int i = 0; i < 50; i++) {
              try (var connection =
                  TcpClient.connect(client, new InetSocketAddress(server.ipv4(), PORT))) {
                assertThat(connection.echo("short")).isEqualTo("short");
              }
            }
            return null;
          });
      await("descriptors are closed again")
          .atMost(Patience.LONG)
          .untilAsserted(
              () ->
                  assertThat(
                          mesh.a().ztunnel().openDescriptors()
                              + mesh.b().ztunnel().openDescriptors())
                      .isLessThanOrEqualTo(before + 8));
    }
  }
}
