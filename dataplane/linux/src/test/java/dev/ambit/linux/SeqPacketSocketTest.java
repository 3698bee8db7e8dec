package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(20)
class SeqPacketSocketTest {
  @TempDir private Path directory;
  private Path path;
  private SeqPacketSocket.Listener listener;
  private SeqPacketSocket client;
  private SeqPacketSocket server;

  @BeforeEach
  void connect() throws Exception {
    path = directory.resolve("s.sock");
    listener = SeqPacketSocket.Listener.bind(path);
    client = SeqPacketSocket.connect(path);
    server = listener.accept();
  }

  @AfterEach
  void close() {
    client.close();
    server.close();
    listener.close();
  }

  @Test
  void keepsMessageBoundaries() throws Exception {
    client.send(bytes("one"));
    client.send(bytes("two and more"));
    assertThat(server.receive(1024).data()).isEqualTo(bytes("one"));
    var second = server.receive(1024);
    assertThat(second.data()).isEqualTo(bytes("two and more"));
    assertThat(second.fd()).isEmpty();
    assertThat(second.isEnd()).isFalse();
  }

  @Test
  void carriesADescriptorThatIsTheSameNamespaceAndClosedOnExec() throws Exception {
    client.send(bytes("ns"), NetworkNamespace.self().fd());
    var packet = server.receive(1024);
    int fd = packet.fd().orElseThrow();
    assertThat(Files.readString(Path.of("/proc/self/fdinfo/" + fd))).contains("flags:\t02");
    try (var received = NetworkNamespace.adopt(fd)) {
      assertThat(received.isSame(NetworkNamespace.self())).isTrue();
      assertThat(received.fd()).isNotEqualTo(NetworkNamespace.self().fd());
    }
  }

  @Test
  void anEndIsAnEmptyPacket() throws Exception {
    client.close();
    assertThat(server.receive(1024).isEnd()).isTrue();
  }

  @Test
  void aTooLongMessageIsAnErrorAndItsDescriptorIsClosed() throws Exception {
    client.send(new byte[1025], NetworkNamespace.self().fd());
    long before = openDescriptors();
    assertThatThrownBy(() -> server.receive(1024))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("1024");
    assertThat(openDescriptors()).isEqualTo(before);
  }

  @Test
  void anEmptyMessageIsRefused() {
    assertThatThrownBy(() -> client.send(new byte[0])).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void closingEndsAWaitingReceive() throws Exception {
    var entered = new CompletableFuture<Thread>();
    var task =
        new FutureTask<>(
            () -> {
              entered.complete(Thread.currentThread());
              return server.receive(1024);
            });
    Thread.ofPlatform().start(task);
    entered.get();
    server.close();
    assertThatThrownBy(() -> task.get(10, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(ClosedChannelException.class);
    assertThat(client.receive(1024).isEnd()).isTrue();
  }

  @Test
  void closingEndsAWaitingAccept() throws Exception {
    var entered = new CompletableFuture<Thread>();
    var task =
        new FutureTask<>(
            () -> {
              entered.complete(Thread.currentThread());
              return listener.accept();
            });
    Thread.ofPlatform().start(task);
    entered.get();
    listener.close();
    assertThatThrownBy(() -> task.get(10, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(ClosedChannelException.class);
  }

  @Test
  void aSuccessorTakesThePathOver() throws Exception {
    try (var successor = SeqPacketSocket.Listener.bind(path);
        var late = SeqPacketSocket.connect(path)) {
      listener.close();
      assertThat(path).exists();
      late.send(bytes("hello"));
      try (var accepted = successor.accept()) {
        assertThat(accepted.receive(16).data()).isEqualTo(bytes("hello"));
      }
    }
  }

  @Test
  void closingTakesThePathAwayAndNobodyElsesAfterwards() throws Exception {
    listener.close();
    assertThat(path).doesNotExist();
    try (var successor = SeqPacketSocket.Listener.bind(path)) {
      listener.close();
      assertThat(path).exists();
    }
    assertThat(path).doesNotExist();
  }

  @Test
  void failuresNameThePathAndTheReason() {
    assertThatThrownBy(() -> SeqPacketSocket.connect(directory.resolve("absent.sock")))
        .isInstanceOf(LinuxException.class)
        .hasMessageContaining("absent.sock")
        .hasMessageContaining("No such file");
    assertThatThrownBy(() -> SeqPacketSocket.connect(Path.of("/tmp/" + "x".repeat(120))))
        .hasMessageContaining("longer than");
  }

  @Test
  void sendingToAClosedPeerFailsWithoutASignal() throws Exception {
    server.close();
    assertThatThrownBy(() -> client.send(bytes("x"))).isInstanceOf(LinuxException.class);
  }

  private static long openDescriptors() throws IOException {
    try (var entries = Files.list(Path.of("/proc/self/fd"))) {
      return entries.count();
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
