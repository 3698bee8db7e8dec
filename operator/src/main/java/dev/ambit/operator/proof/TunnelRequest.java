package dev.ambit.operator.proof;

import dev.ambit.operator.enrollment.model.Proof;
import dev.ambit.operator.waypoint.model.WaypointProbe;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import javax.net.ssl.SSLException;

/**
 * A request through a tunnel of a waypoint that the waypoint answers itself: CONNECT, and in it a
 * GET by HTTP/1.1. Spoken over a connection on which both prefaces have been sent.
 */
final class TunnelRequest {
  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int GOAWAY = 7;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;
  private static final int PADDED = 8;
  private static final int PRIORITY = 0x20;
  private static final int LARGEST_FRAME = 16_384;
  private static final int MOST_FRAMES = 40;
  private static final int LONGEST_ANSWER = 4096;

  /** HPACK: literal, not to be indexed, with the name at that place of the static table. */
  private static final int AUTHORITY_NAME = 1;

  private static final int METHOD_NAME = 2;

  /** HPACK: a field of the static table. */
  private static final int INDEXED = 0x80;

  private static final int SIZE_UPDATE = 0x20;
  private static final int SIZE_UPDATE_MASK = 0xe0;
  private static final int[] STATUSES = {200, 204, 206, 304, 400, 404, 500};
  private static final int FIRST_STATUS = 8;
  private static final int OK = 200;
  private static final int NOT_FOUND = 404;

  private final DataInputStream in;
  private final OutputStream out;
  private final int stream;
  private final String authority;

  private TunnelRequest(DataInputStream in, OutputStream out, int stream, String authority) {
    this.in = in;
    this.out = out;
    this.stream = stream;
    this.authority = authority;
  }

  /**
   * Asks, first for what only a waypoint answers that knows what its namespace leads through it.
   */
  static Proof proof(DataInputStream in, OutputStream out) throws IOException {
    Outcome first = new TunnelRequest(in, out, 1, WaypointProbe.NAMESPACE_AUTHORITY).ask();
    if (first.status() != NOT_FOUND) {
      return first.problem().map(Proof::failed).orElse(Proof.KNOWS_NAMESPACE);
    }
    Outcome second = new TunnelRequest(in, out, 3, WaypointProbe.AUTHORITY).ask();
    return second.problem().map(Proof::failed).orElse(Proof.HOLDS);
  }

  /**
   * What came of it.
   *
   * @param status of the tunnel; 0 where it had none of those that have a place in the static table
   * @param problem nothing where the answer is the waypoint's
   */
  private record Outcome(int status, Optional<String> problem) {}

  private Outcome ask() throws IOException {
    send(HEADERS, END_HEADERS, connect());
    ByteArrayOutputStream answer = new ByteArrayOutputStream();
    boolean open = false;
    for (int i = 0; i < MOST_FRAMES; i++) {
      Frame frame = Frame.read(in);
      if (frame.type() == GOAWAY || (frame.type() == RST_STREAM && frame.stream() == stream)) {
        return new Outcome(0, Optional.of("it gives up the tunnel that a probe asks for"));
      }
      if (frame.stream() != stream) {
        continue;
      }
      if (frame.type() == HEADERS && !open) {
        int status = status(frame.content());
        if (status != OK) {
          return new Outcome(
              status,
              Optional.of(
                  "it answers the tunnel that a probe asks for with "
                      + (status == 0 ? "another status than 200" : status)));
        }
        open = true;
        send(DATA, 0, get());
      } else if (frame.type() == DATA) {
        answer.writeBytes(frame.content());
      }
      if (isWhole(answer)) {
        return new Outcome(OK, Optional.empty());
      }
      if ((frame.flags() & END_STREAM) != 0 || answer.size() > LONGEST_ANSWER) {
        break;
      }
    }
    return new Outcome(
        open ? OK : 0,
        Optional.of(
            "it does not answer a probe's request as it should, but with: "
                + answer
                    .toString(StandardCharsets.US_ASCII)
                    .lines()
                    .findFirst()
                    .orElse("nothing")));
  }

  private static boolean isWhole(ByteArrayOutputStream answer) {
    String text = answer.toString(StandardCharsets.US_ASCII);
    return text.startsWith("HTTP/1.1 200 ") && text.contains(WaypointProbe.ANSWER);
  }

  private byte[] connect() {
    ByteArrayOutputStream block = new ByteArrayOutputStream();
    field(block, METHOD_NAME, "CONNECT");
    field(block, AUTHORITY_NAME, authority);
    return block.toByteArray();
  }

  private static void field(ByteArrayOutputStream block, int name, String value) {
    byte[] text = value.getBytes(StandardCharsets.US_ASCII);
    block.write(name);
    block.write(text.length);
    block.writeBytes(text);
  }

  private byte[] get() {
    return ("GET "
            + WaypointProbe.PATH
            + " HTTP/1.1\r\nHost: "
            + authority
            + "\r\nUser-Agent: ambit-operator\r\n\r\n")
        .getBytes(StandardCharsets.US_ASCII);
  }

  /** Only what stands in the static table; 0 for all else. */
  private static int status(byte[] block) {
    int at = 0;
    while (at < block.length && (block[at] & SIZE_UPDATE_MASK) == SIZE_UPDATE) {
      // All five bits set, and more bytes follow, each but the last with its top bit set.
      boolean more = (block[at] & 0x1f) == 0x1f;
      at++;
      while (more && at < block.length) {
        more = (block[at] & 0x80) != 0;
        at++;
      }
    }
    int index = at < block.length ? (block[at] & 0xff) - INDEXED - FIRST_STATUS : -1;
    return index >= 0 && index < STATUSES.length ? STATUSES[index] : 0;
  }

  private void send(int type, int flags, byte[] content) throws IOException {
    ByteArrayOutputStream frame = new ByteArrayOutputStream();
    try (DataOutputStream data = new DataOutputStream(frame)) {
      data.writeByte(content.length >>> 16);
      data.writeShort(content.length);
      data.writeByte(type);
      data.writeByte(flags);
      data.writeInt(stream);
      data.write(content);
    }
    out.write(frame.toByteArray());
    out.flush();
  }

  private record Frame(int type, int flags, int stream, byte[] content) {
    static Frame read(DataInputStream in) throws IOException {
      try {
        int length = (in.readUnsignedByte() << 16) | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        int stream = in.readInt() & 0x7fffffff;
        if (length > LARGEST_FRAME) {
          throw new SSLException("a frame is longer than was agreed");
        }
        byte[] content = in.readNBytes(length);
        if (content.length < length) {
          throw new EOFException();
        }
        return new Frame(type, flags, stream, unpadded(type, flags, content));
      } catch (EOFException e) {
        throw new SSLException("it was closed before the probe's request was answered", e);
      }
    }

    private static byte[] unpadded(int type, int flags, byte[] content) throws IOException {
      boolean carries = type == DATA || type == HEADERS;
      int from = 0;
      int to = content.length;
      if (carries && (flags & PADDED) != 0 && to > 0) {
        from = 1;
        to -= content[0] & 0xff;
      }
      if (type == HEADERS && (flags & PRIORITY) != 0) {
        from += 5;
      }
      if (from > to) {
        throw new SSLException("a frame is padded with more than it has");
      }
      return java.util.Arrays.copyOfRange(content, from, to);
    }
  }
}
