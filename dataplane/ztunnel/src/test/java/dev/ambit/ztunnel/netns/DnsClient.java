package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Arrays;

/** A program in a pod that asks a DNS server. Every wait is bounded. */
final class DnsClient {
  private DnsClient() {}

  /** A UDP socket; it tells an answer of another server than the one asked apart. */
  static final class Datagrams implements AutoCloseable {
    private final DatagramSocket socket;

    private Datagrams(DatagramSocket socket) {
      this.socket = socket;
    }

    void send(byte[] message, InetSocketAddress server) throws IOException {
      socket.send(new DatagramPacket(message, message.length, server));
    }

    /** The next datagram, and who it says that it is from. */
    DatagramPacket receive(Duration atMost) throws IOException {
      socket.setSoTimeout((int) atMost.toMillis());
      var packet = new DatagramPacket(new byte[65_535], 65_535);
      socket.receive(packet);
      return packet;
    }

    byte[] ask(byte[] message, InetSocketAddress server) throws IOException {
      return ask(message, server, Patience.MIDDLE);
    }

    private byte[] ask(byte[] message, InetSocketAddress server, Duration atMost)
        throws IOException {
      send(message, server);
      var packet = receive(atMost);
      if (!packet.getSocketAddress().equals(server)) {
        throw new IOException("asked " + server + ", answered by " + packet.getSocketAddress());
      }
      return Arrays.copyOf(packet.getData(), packet.getLength());
    }

    int port() {
      return socket.getLocalPort();
    }

    @Override
    public void close() {
      socket.close();
    }
  }

  static Datagrams datagrams(Pod pod) throws IOException {
    return new Datagrams(pod.host().callSocket(() -> new DatagramSocket(0)));
  }

  /** Asks over UDP by a socket of its own. */
  static byte[] udp(Pod pod, InetSocketAddress server, byte[] message) throws IOException {
    return udp(pod, server, message, Patience.MIDDLE);
  }

  static byte[] udp(Pod pod, InetSocketAddress server, byte[] message, Duration atMost)
      throws IOException {
    try (var datagrams = datagrams(pod)) {
      return datagrams.ask(message, server, atMost);
    }
  }

  /** Asks over UDP, and again where nothing comes back, as resolvers do. */
  static byte[] udpPatiently(Pod pod, InetSocketAddress server, byte[] message) {
    return await("an answer of " + server)
        .atMost(Patience.LONG)
        .ignoreException(SocketTimeoutException.class)
        .until(() -> udp(pod, server, message, Patience.SHORT), answer -> answer.length > 0);
  }

  /** Asks over TCP on a connection of its own. */
  static byte[] tcp(Pod pod, InetSocketAddress server, byte[] message) throws IOException {
    try (var connection = TcpClient.connect(pod, server)) {
      write(connection.socket(), message);
      return read(connection.socket());
    }
  }

  static void write(Socket socket, byte[] message) throws IOException {
    byte[] frame = new byte[message.length + 2];
    frame[0] = (byte) (message.length >>> 8);
    frame[1] = (byte) message.length;
    System.arraycopy(message, 0, frame, 2, message.length);
    socket.getOutputStream().write(frame);
  }

  static byte[] read(Socket socket) throws IOException {
    var in = new DataInputStream(socket.getInputStream());
    return in.readNBytes(in.readUnsignedShort());
  }
}
