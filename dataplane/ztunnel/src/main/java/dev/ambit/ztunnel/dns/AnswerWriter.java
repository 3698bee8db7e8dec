package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes answers, in the form of RFC 1035 and RFC 6891. */
final class AnswerWriter {
  /** What every client takes over UDP. */
  static final int LEAST_PAYLOAD = 512;

  /** What a message over TCP can have. */
  static final int STREAM_LIMIT = 65_535;

  /** Answers only cross the pod's loopback, which has room for more. */
  private static final int DATAGRAM_LIMIT = 4096;

  private static final int TTL_SECONDS = 30;

  private static final int RESPONSE = 0x8000;
  private static final int AUTHORITATIVE = 0x0400;
  private static final int TRUNCATED = 0x0200;
  private static final int RECURSION_AVAILABLE = 0x0080;
  private static final int SERVER_FAILURE = 2;

  /** Of a question these are repeated: opcode, recursion desired, checking disabled. */
  private static final int REPEATED = 0x7910;

  private static final int POINTER = 0xc000;
  private static final int TYPE_CNAME = 5;
  private static final int TYPE_OPT = 41;
  private static final int CLASS_IN = 1;
  private static final int OPT_BYTES = 11;

  /** Of a record without its data, its owner being a pointer. */
  private static final int RECORD_BYTES = 12;

  private AnswerWriter() {}

  /** How long an answer over UDP may be. */
  static int datagramLimit(AddressQuestion question) {
    return question.payloadLimit() == 0
        ? LEAST_PAYLOAD
        : Math.min(question.payloadLimit(), DATAGRAM_LIMIT);
  }

  /**
   * The answer to {@code question}. Of addresses that do not fit some are told, and that there are
   * more.
   *
   * @param message the question's message
   * @param alias what the name is another name of; null where it is none
   * @param addresses all of the family asked for; none where the name has none
   * @param limit bytes that the answer may have
   */
  static ByteBuf answer(
      ByteBufAllocator allocator,
      ByteBuf message,
      AddressQuestion question,
      @Nullable String alias,
      List<InetAddress> addresses,
      int limit) {
    int start = message.readerIndex();
    boolean edns = question.payloadLimit() != 0;
    int room = limit - (edns ? OPT_BYTES : 0);
    ByteBuf out = allocator.buffer(Math.min(limit, LEAST_PAYLOAD), limit);
    out.writeZero(Message.HEADER);
    out.writeBytes(message, start + Message.HEADER, question.questionEnd() - Message.HEADER);
    int answers = 0;
    int owner = Message.HEADER;
    boolean truncated = false;
    if (alias != null && !addresses.isEmpty()) {
      byte[] name = encode(alias);
      truncated = out.writerIndex() + RECORD_BYTES + name.length > room;
      if (!truncated) {
        record(out, owner, TYPE_CNAME, name.length);
        owner = out.writerIndex();
        out.writeBytes(name);
        answers++;
      }
    }
    for (InetAddress address : addresses) {
      byte[] bytes = address.getAddress();
      truncated |= out.writerIndex() + RECORD_BYTES + bytes.length > room;
      if (truncated) {
        break;
      }
      record(out, owner, question.type(), bytes.length);
      out.writeBytes(bytes);
      answers++;
    }
    if (edns) {
      out.writeByte(0).writeShort(TYPE_OPT).writeShort(DATAGRAM_LIMIT);
      out.writeShort(0).writeShort(question.dnssec() ? RESPONSE : 0).writeShort(0);
    }
    int flags = RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | (truncated ? TRUNCATED : 0);
    out.setShort(0, question.id());
    out.setShort(2, flags | (message.getUnsignedShort(start + 2) & REPEATED));
    out.setShort(4, 1);
    out.setShort(6, answers);
    out.setShort(10, edns ? 1 : 0);
    return out;
  }

  /** Owner, type, class, time to live and length of the data that follows. */
  private static void record(ByteBuf out, int owner, int type, int length) {
    out.writeShort(POINTER | owner).writeShort(type).writeShort(CLASS_IN);
    out.writeInt(TTL_SECONDS).writeShort(length);
  }

  /**
   * Says that no server could be asked.
   *
   * @param flags those of the request
   * @param question the request's bytes between header and the question's end
   */
  static ByteBuf failure(ByteBufAllocator allocator, int id, int flags, byte[] question) {
    ByteBuf out = allocator.buffer(Message.HEADER + question.length);
    out.writeShort(id);
    out.writeShort(RESPONSE | RECURSION_AVAILABLE | (flags & REPEATED) | SERVER_FAILURE);
    out.writeShort(question.length == 0 ? 0 : 1).writeZero(6);
    return out.writeBytes(question);
  }

  private static byte[] encode(String name) {
    byte[] ascii = name.getBytes(StandardCharsets.US_ASCII);
    byte[] out = new byte[ascii.length + 2];
    int length = 0;
    int label = 0;
    for (int i = 0; i <= ascii.length; i++) {
      if (i == ascii.length || ascii[i] == '.') {
        out[label] = (byte) length;
        label = i + 1;
        length = 0;
      } else {
        out[i + 1] = ascii[i];
        length++;
      }
    }
    return out;
  }
}
