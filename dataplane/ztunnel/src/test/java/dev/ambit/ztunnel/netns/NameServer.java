package dev.ambit.ztunnel.netns;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A name server over UDP that answers as told, and "no such name" else. */
final class NameServer implements AutoCloseable {
  private static final int PORT = 53;
  private static final int A = 1;
  private static final int AAAA = 28;
  private static final int ANSWER = 0x8580;
  private static final int NO_SUCH_NAME = 0x8583;
  private static final int NAME_OF_QUESTION = 0xc00c;

  private final DatagramSocket socket;
  private final Map<String, List<InetAddress>> names = new ConcurrentHashMap<>();
  private final List<String> questions = new CopyOnWriteArrayList<>();
  private volatile int timeToLive = 1;

  private NameServer(DatagramSocket socket) {
    this.socket = socket;
  }

  static NameServer start(Host host, String address) throws IOException {
    var socket = host.bindSocket(() -> new DatagramSocket(new InetSocketAddress(address, PORT)));
    var server = new NameServer(socket);
    Thread.ofPlatform().daemon().name("name-server").start(server::serve);
    return server;
  }

  void answer(String name, InetAddress... addresses) {
    names.put(name, List.of(addresses));
  }

  void forget(String name) {
    names.remove(name);
  }

  /** How long answers may be kept, in seconds. */
  void timeToLive(int seconds) {
    timeToLive = seconds;
  }

  /** The names that were asked for, once for each question. */
  List<String> questions() {
    return questions;
  }

  private void serve() {
    var packet = new DatagramPacket(new byte[1500], 1500);
    while (!socket.isClosed()) {
      try {
        packet.setLength(1500);
        socket.receive(packet);
        var reply = reply(ByteBuffer.wrap(packet.getData(), 0, packet.getLength()));
        socket.send(new DatagramPacket(reply, reply.length, packet.getSocketAddress()));
      } catch (IOException closed) {
        return;
      }
    }
  }

  private byte[] reply(ByteBuffer query) throws IOException {
    int id = query.getShort(0) & 0xffff;
    query.position(12);
    var name = new StringBuilder();
    int length;
    while ((length = query.get() & 0xff) != 0) {
      var label = new byte[length];
      query.get(label);
      name.append(new String(label, StandardCharsets.US_ASCII)).append('.');
    }
    int type = query.getShort() & 0xffff;
    query.getShort();
    int end = query.position();
    var asked = name.substring(0, name.length() - 1).toLowerCase(Locale.ROOT);
    questions.add(asked);
    var known = names.get(asked);
    var addresses =
        known == null
            ? List.<InetAddress>of()
            : known.stream()
                .filter(
                    address ->
                        (type == A && address.getAddress().length == 4)
                            || (type == AAAA && address.getAddress().length == 16))
                .toList();
    var bytes = new ByteArrayOutputStream();
    var out = new DataOutputStream(bytes);
    out.writeShort(id);
    out.writeShort(known == null ? NO_SUCH_NAME : ANSWER);
    out.writeShort(1);
    out.writeShort(addresses.size());
    out.writeInt(0);
    out.write(query.array(), 12, end - 12);
    for (var address : addresses) {
      out.writeShort(NAME_OF_QUESTION);
      out.writeShort(type);
      out.writeShort(1);
      out.writeInt(timeToLive);
      out.writeShort(address.getAddress().length);
      out.write(address.getAddress());
    }
    return bytes.toByteArray();
  }

  @Override
  public void close() {
    socket.close();
  }
}
