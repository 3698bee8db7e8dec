package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;

/** A program in a pod that answers datagrams, and remembers who asked. */
final class UdpServer implements AutoCloseable {
  private final DatagramSocket socket;
  private final UnaryOperator<byte[]> answer;
  private final boolean connects;
  private final List<InetSocketAddress> callers = new CopyOnWriteArrayList<>();
  private volatile boolean silent;

  private UdpServer(
      Pod pod, DatagramSocket socket, UnaryOperator<byte[]> answer, boolean connects) {
    this.socket = socket;
    this.answer = answer;
    this.connects = connects;
    Thread.ofPlatform().daemon().name("udp-server-" + pod).start(this::serve);
  }

  static UdpServer start(Pod pod, int port, UnaryOperator<byte[]> answer) throws IOException {
    return new UdpServer(pod, bound(pod, port), answer, false);
  }

  /** Sends back what comes, and connects its socket to the first that asks. */
  static UdpServer connectingEcho(Pod pod, int port) throws IOException {
    return new UdpServer(pod, bound(pod, port), question -> question, true);
  }

  /** Answers nobody until it is told to. */
  static UdpServer silent(Pod pod, int port) throws IOException {
    var server = echo(pod, port);
    server.silent = true;
    return server;
  }

  /** From now on it sends back what comes. */
  void answering() {
    silent = false;
  }

  private static DatagramSocket bound(Pod pod, int port) throws IOException {
    return pod.host()
        .bindSocket(
            () -> {
              var bound = new DatagramSocket(null);
              bound.setReceiveBufferSize(4 << 20);
              bound.bind(new InetSocketAddress(port));
              return bound;
            });
  }

  /** Sends back what comes. */
  static UdpServer echo(Pod pod, int port) throws IOException {
    return start(pod, port, question -> question);
  }

  private void serve() {
    byte[] memory = new byte[65_536];
    while (true) {
      try {
        var packet = new DatagramPacket(memory, memory.length);
        socket.receive(packet);
        var caller = (InetSocketAddress) packet.getSocketAddress();
        callers.add(caller);
        if (connects && !socket.isConnected()) {
          socket.connect(caller);
        }
        if (silent) {
          continue;
        }
        byte[] text = answer.apply(Arrays.copyOf(memory, packet.getLength()));
        socket.send(new DatagramPacket(text, text.length, caller));
      } catch (IOException e) {
        if (socket.isClosed()) {
          return;
        }
      }
    }
  }

  /** Sends to somebody who did not ask. */
  void send(byte[] data, InetSocketAddress to) throws IOException {
    socket.send(new DatagramPacket(data, data.length, to));
  }

  /** Who sent each datagram, in order, as the program sees it. */
  List<InetSocketAddress> callers() {
    return callers;
  }

  @Override
  public void close() {
    socket.close();
  }
}
