package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.linux.DatagramBatch;
import dev.ambit.linux.TransparentUdpSocket;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;

/** A program in a pod that sends datagrams and takes answers. Every wait is bounded. */
final class UdpClient implements AutoCloseable {
  /** Long enough for an answer that comes at all; the question is then asked again. */
  private static final Duration ANSWER = Duration.ofMillis(500);

  private final DatagramSocket socket;

  private UdpClient(DatagramSocket socket) {
    this.socket = socket;
  }

  static UdpClient open(Pod pod) throws IOException {
    return new UdpClient(pod.host().callSocket(() -> new DatagramSocket(0)));
  }

  /** One that has {@code port} for all addresses, as servers that speak among each other have. */
  static UdpClient open(Pod pod, int port) throws IOException {
    return new UdpClient(pod.host().bindSocket(() -> new DatagramSocket(port)));
  }

  /** Sends from {@code host} in the name of {@code source}. */
  static void forge(Host host, InetSocketAddress source, InetSocketAddress to, byte[] data)
      throws IOException {
    try (var socket =
            host.callSocket(
                () -> {
                  var opened =
                      TransparentUdpSocket.open(source.getAddress() instanceof Inet6Address, 0);
                  opened.bind(source);
                  opened.connect(to);
                  return opened;
                });
        var batch = new DatagramBatch()) {
      batch.staging().put(data);
      batch.addStaged(data.length);
      assertThat(batch.send(socket)).isOne();
    }
  }

  DatagramSocket socket() {
    return socket;
  }

  int port() {
    return socket.getLocalPort();
  }

  void send(byte[] data, InetSocketAddress to) throws IOException {
    socket.send(new DatagramPacket(data, data.length, to));
  }

  /** The next datagram. */
  DatagramPacket receive(Duration atMost) throws IOException {
    socket.setSoTimeout((int) atMost.toMillis());
    var packet = new DatagramPacket(new byte[65_536], 65_536);
    socket.receive(packet);
    return packet;
  }

  static byte[] bytes(DatagramPacket packet) {
    return Arrays.copyOf(packet.getData(), packet.getLength());
  }

  /**
   * Whether {@code server} sends {@code data} back: asked again and again, as UDP may lose any, for
   * as long as a machine may be busy.
   */
  void answered(InetSocketAddress server, byte[] data) {
    askUntil(
        server,
        data,
        () -> {
          while (true) {
            var packet = receive(ANSWER);
            if (packet.getSocketAddress().equals(server) && Arrays.equals(bytes(packet), data)) {
              return true;
            }
          }
        });
  }

  private void askUntil(InetSocketAddress server, byte[] data, Callable<Boolean> answered) {
    await("an answer of " + server)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(5))
        .ignoreException(SocketTimeoutException.class)
        .until(
            () -> {
              send(data, server);
              return answered.call();
            });
  }

  /** The same of a socket that never sends anything else, so that nothing else may come back. */
  void answeredAlone(InetSocketAddress server, byte[] data) {
    askUntil(
        server,
        data,
        () -> {
          assertThat(bytes(receive(ANSWER))).isEqualTo(data);
          return true;
        });
  }

  void answered(InetSocketAddress server) {
    byte[] data = new byte[32];
    ThreadLocalRandom.current().nextBytes(data);
    answered(server, data);
  }

  /**
   * Whether a datagram to {@code server} stays without an answer for a while. Late answers to
   * earlier ones do not count.
   */
  boolean unanswered(InetSocketAddress server) throws IOException {
    byte[] data = new byte[32];
    ThreadLocalRandom.current().nextBytes(data);
    send(data, server);
    while (true) {
      try {
        if (Arrays.equals(bytes(receive(ANSWER)), data)) {
          return false;
        }
      } catch (SocketTimeoutException e) {
        return true;
      }
    }
  }

  @Override
  public void close() {
    socket.close();
  }
}
