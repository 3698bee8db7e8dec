package dev.ambit.ztunnel.netns;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A DNS server in a pod, over UDP and TCP, that keeps what it was asked, byte for byte. */
final class DnsServer implements AutoCloseable {
  static final int PORT = 53;

  /** What is said to a question: any number of messages. */
  @FunctionalInterface
  interface Script {
    List<byte[]> answers(byte[] question, boolean overTcp);
  }

  /** A question, and who asked it. */
  record Asked(byte[] question, InetSocketAddress client, boolean overTcp) {}

  private final DatagramSocket datagrams;
  private final TcpServer connections;
  private final Script script;
  private final List<Asked> asked = new CopyOnWriteArrayList<>();

  private DnsServer(Pod pod, Script script) throws IOException {
    this.script = script;
    this.datagrams = pod.host().bindSocket(() -> new DatagramSocket(PORT));
    try {
      this.connections = TcpServer.start(pod, PORT, this::converse);
    } catch (IOException e) {
      datagrams.close();
      throw e;
    }
    Thread.ofPlatform().daemon().name("dns-" + pod).start(this::serve);
  }

  static DnsServer start(Pod pod, Script script) throws IOException {
    return new DnsServer(pod, script);
  }

  List<Asked> asked() {
    return asked;
  }

  private void serve() {
    var packet = new DatagramPacket(new byte[65_535], 65_535);
    while (true) {
      try {
        datagrams.receive(packet);
        byte[] question = Arrays.copyOf(packet.getData(), packet.getLength());
        var client = (InetSocketAddress) packet.getSocketAddress();
        asked.add(new Asked(question, client, false));
        for (byte[] answer : script.answers(question, false)) {
          datagrams.send(new DatagramPacket(answer, answer.length, client));
        }
        packet.setLength(65_535);
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void converse(java.net.Socket socket) throws IOException {
    var in = new DataInputStream(socket.getInputStream());
    var out = socket.getOutputStream();
    var client = (InetSocketAddress) socket.getRemoteSocketAddress();
    while (true) {
      byte[] question;
      try {
        question = in.readNBytes(in.readUnsignedShort());
      } catch (EOFException end) {
        return;
      }
      asked.add(new Asked(question, client, true));
      for (byte[] answer : script.answers(question, true)) {
        byte[] frame = new byte[answer.length + 2];
        frame[0] = (byte) (answer.length >>> 8);
        frame[1] = (byte) answer.length;
        System.arraycopy(answer, 0, frame, 2, answer.length);
        out.write(frame);
      }
    }
  }

  @Override
  public void close() throws IOException {
    datagrams.close();
    connections.close();
  }
}
