package dev.ambit.ztunnel.testing;

import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DatagramPacket;
import io.netty.handler.codec.dns.DatagramDnsResponse;
import io.netty.handler.codec.dns.DatagramDnsResponseDecoder;
import io.netty.handler.codec.dns.DefaultDnsRecordDecoder;
import io.netty.handler.codec.dns.DnsRawRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsSection;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** DNS messages: questions made by hand, answers read by a library of others. */
public final class DnsMessages {
  public static final int A = 1;
  public static final int SRV = 33;
  public static final int TXT = 16;
  public static final int AAAA = 28;
  public static final int ANY = 255;
  public static final int UPDATE = 5;
  public static final int NOTIFY = 4;
  public static final int NO_ERROR = 0;
  public static final int SERVER_FAILURE = 2;

  private static final InetSocketAddress SOMEBODY = new InetSocketAddress("127.0.0.1", 53);

  private DnsMessages() {}

  /** A question of class IN, with recursion desired. */
  public static byte[] query(int id, String name, int type) {
    return query(id, name, type, 1);
  }

  public static byte[] query(int id, String name, int type, int clazz) {
    var out = new ByteArrayOutputStream();
    out.writeBytes(ByteBuffer.allocate(12).putShort((short) id).putShort((short) 0x0100).array());
    for (String label : name.split("\\.")) {
      out.write(label.length());
      out.writeBytes(label.getBytes(StandardCharsets.US_ASCII));
    }
    out.write(0);
    out.writeBytes(ByteBuffer.allocate(4).putShort((short) type).putShort((short) clazz).array());
    byte[] message = out.toByteArray();
    message[5] = 1;
    return message;
  }

  /** The same with EDNS: answers of up to {@code payload} bytes are welcome. */
  public static byte[] withEdns(byte[] query, int payload) {
    var out = ByteBuffer.allocate(query.length + 11).put(query);
    out.put((byte) 0).putShort((short) 41).putShort((short) payload).putInt(0x8000);
    out.putShort((short) 0).put(11, (byte) 1);
    return out.array();
  }

  public static byte[] withOpcode(byte[] query, int opcode) {
    byte[] message = query.clone();
    message[2] = (byte) (message[2] & 0x87 | opcode << 3);
    return message;
  }

  /** An answer to {@code query}: its header and question, and then whatever {@code rest} is. */
  public static byte[] reply(byte[] query, byte... rest) {
    byte[] message = ByteBuffer.allocate(query.length + rest.length).put(query).put(rest).array();
    message[2] |= (byte) 0x80;
    return message;
  }

  public static byte[] truncated(byte[] query) {
    byte[] message = reply(query);
    message[2] |= 0x02;
    return message;
  }

  public static int id(byte[] message) {
    return ByteBuffer.wrap(message).getShort(0) & 0xffff;
  }

  /**
   * What an answer says.
   *
   * @param answers such as {@code name A 10.0.0.1}
   */
  public record Answer(
      int id,
      boolean authoritative,
      boolean truncated,
      int code,
      String question,
      List<String> answers,
      int additional) {}

  /** Reads an answer, and fails where it is none. */
  public static Answer read(byte[] message) {
    var channel = new EmbeddedChannel(new DatagramDnsResponseDecoder());
    channel.writeInbound(new DatagramPacket(Unpooled.wrappedBuffer(message), SOMEBODY, SOMEBODY));
    DatagramDnsResponse response = channel.readInbound();
    try {
      var answers = new ArrayList<String>();
      for (int i = 0; i < response.count(DnsSection.ANSWER); i++) {
        DnsRawRecord record = response.recordAt(DnsSection.ANSWER, i);
        answers.add(plain(record.name()) + " " + record.type().name() + " " + data(record));
      }
      return new Answer(
          response.id(),
          response.isAuthoritativeAnswer(),
          response.isTruncated(),
          response.code().intValue(),
          plain(response.recordAt(DnsSection.QUESTION, 0).name()),
          answers,
          response.count(DnsSection.ADDITIONAL));
    } finally {
      response.release();
      channel.finishAndReleaseAll();
    }
  }

  private static String data(DnsRawRecord record) {
    if (record.type().equals(DnsRecordType.CNAME)) {
      return plain(DefaultDnsRecordDecoder.decodeName(record.content()));
    }
    byte[] bytes = new byte[record.content().readableBytes()];
    record.content().getBytes(record.content().readerIndex(), bytes);
    try {
      return InetAddress.getByAddress(bytes).getHostAddress();
    } catch (UnknownHostException e) {
      throw new AssertionError("a record of " + bytes.length + " bytes", e);
    }
  }

  private static String plain(String name) {
    return name.endsWith(".") ? name.substring(0, name.length() - 1) : name;
  }
}
