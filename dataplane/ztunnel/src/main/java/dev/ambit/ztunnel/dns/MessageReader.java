package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.dns.Message.Foreign;
import dev.ambit.ztunnel.dns.Message.OtherRequest;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** Reads of a message what decides who answers it. Nothing in it can make this fail. */
final class MessageReader {
  private static final Message FOREIGN = new Foreign();

  private static final int RESPONSE = 0x8000;
  private static final int OPCODE = 0x7800;
  private static final int TRUNCATED = 0x0200;

  private static final int CLASS_IN = 1;
  private static final int TYPE_OPT = 41;
  private static final int LONGEST_NAME = 255;
  private static final int LONGEST_LABEL = 63;
  private static final int QUESTION_TAIL = 4;

  /** Root name, type, payload size, extended code, version, flags, length of options. */
  private static final int OPT_HEADER = 11;

  private static final int DNSSEC_OK = 0x8000;

  private MessageReader() {}

  /** Looks at the readable bytes, and leaves them as they are. */
  static Message read(ByteBuf message) {
    int start = message.readerIndex();
    int length = message.readableBytes();
    if (length < Message.HEADER) {
      return FOREIGN;
    }
    int id = message.getUnsignedShort(start);
    int flags = message.getUnsignedShort(start + 2);
    if ((flags & RESPONSE) != 0) {
      return FOREIGN;
    }
    int questions = message.getUnsignedShort(start + 4);
    if (questions == 0) {
      return new OtherRequest(id, Message.NO_TYPE, Message.HEADER);
    }
    int nameEnd = nameEnd(message, start, length);
    if (nameEnd < 0 || nameEnd + QUESTION_TAIL > length) {
      return FOREIGN;
    }
    int type = message.getUnsignedShort(start + nameEnd);
    int clazz = message.getUnsignedShort(start + nameEnd + 2);
    int questionEnd = nameEnd + QUESTION_TAIL;
    OtherRequest other = new OtherRequest(id, type, questionEnd);
    boolean plain =
        questions == 1
            && (flags & (OPCODE | TRUNCATED)) == 0
            && clazz == CLASS_IN
            && (type == Message.TYPE_A || type == Message.TYPE_AAAA)
            && message.getInt(start + 6) == 0;
    String name = plain ? name(message, start, nameEnd) : null;
    return name == null ? other : addressQuestion(message, other, name);
  }

  /** With nothing after the question, or EDNS and nothing after that. */
  private static Message addressQuestion(ByteBuf message, OtherRequest question, String name) {
    int start = message.readerIndex();
    int end = question.questionEnd();
    int length = message.readableBytes();
    int additional = message.getUnsignedShort(start + 10);
    if (additional == 0 && end == length) {
      return new AddressQuestion(question.id(), question.type(), end, name, 0, false);
    }
    if (additional != 1
        || end + OPT_HEADER > length
        || message.getByte(start + end) != 0
        || message.getUnsignedShort(start + end + 1) != TYPE_OPT
        || message.getUnsignedByte(start + end + 6) != 0
        || end + OPT_HEADER + message.getUnsignedShort(start + end + 9) != length) {
      return question;
    }
    return new AddressQuestion(
        question.id(),
        question.type(),
        end,
        name,
        Math.max(AnswerWriter.LEAST_PAYLOAD, message.getUnsignedShort(start + end + 3)),
        (message.getUnsignedShort(start + end + 7) & DNSSEC_OK) != 0);
  }

  /** Where the first question's name ends; -1 where it is none. */
  private static int nameEnd(ByteBuf message, int start, int length) {
    int at = Message.HEADER;
    while (at < length && at - Message.HEADER < LONGEST_NAME) {
      int label = message.getUnsignedByte(start + at);
      at++;
      if (label == 0) {
        return at;
      }
      if (label > LONGEST_LABEL) {
        return -1;
      }
      at += label;
    }
    return -1;
  }

  /** Null where a label has characters that no name of the mesh can have. */
  private static @Nullable String name(ByteBuf message, int start, int nameEnd) {
    StringBuilder name = new StringBuilder(nameEnd - Message.HEADER);
    int at = Message.HEADER;
    while (true) {
      int label = message.getUnsignedByte(start + at);
      at++;
      if (label == 0) {
        return name.isEmpty() ? null : name.toString();
      }
      if (!name.isEmpty()) {
        name.append('.');
      }
      for (int end = at + label; at < end; at++) {
        int c = message.getUnsignedByte(start + at);
        if (c <= ' ' || c > '~' || c == '.') {
          return null;
        }
        name.append((char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
      }
    }
  }

  /**
   * Whether {@code answer} has the id of a request, and its question if it has any.
   *
   * @param question the request's bytes between header and the question's end
   */
  static boolean answers(ByteBuf answer, int id, byte[] question) {
    int start = answer.readerIndex();
    if (answer.readableBytes() < Message.HEADER
        || answer.getUnsignedShort(start) != id
        || (answer.getUnsignedShort(start + 2) & RESPONSE) == 0) {
      return false;
    }
    if (answer.getUnsignedShort(start + 4) == 0 || question.length == 0) {
      return true;
    }
    if (answer.readableBytes() < Message.HEADER + question.length) {
      return false;
    }
    for (int i = 0; i < question.length; i++) {
      if (lowerCase(answer.getByte(start + Message.HEADER + i)) != lowerCase(question[i])) {
        return false;
      }
    }
    return true;
  }

  private static byte lowerCase(byte c) {
    return c >= 'A' && c <= 'Z' ? (byte) (c + ('a' - 'A')) : c;
  }
}
