package dev.ambit.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One netlink socket, in the network namespace of the thread that opened it. */
final class Netlink implements AutoCloseable {
  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int ESRCH = 3;
  static final int EACCES = 13;
  static final int EEXIST = 17;
  static final int ENODEV = 19;
  static final int EOPNOTSUPP = 95;
  static final int EAFNOSUPPORT = 97;

  static final int NETLINK_NETFILTER = 12;

  static final int NLM_F_REQUEST = 0x1;
  static final int NLM_F_ACK = 0x4;
  static final int NLM_F_DUMP = 0x300;
  static final int NLM_F_CREATE_EXCLUSIVE = 0x600;

  private static final int AF_NETLINK = 16;
  private static final int SOCK_RAW_CLOEXEC = 3 | 0x80000;
  private static final int NETLINK_ROUTE = 0;
  private static final int MSG_DONTWAIT = 0x40;
  private static final int NLMSG_ERROR = 2;
  private static final int NLMSG_DONE = 3;
  private static final int NLM_F_DUMP_INTR = 0x10;
  private static final int HEADER = 16;
  private static final int BUFFER = 65_536;
  private static final int SMALL_BUFFER = 8192;
  private static final int EINTR_RETRIES = 8;

  private static final MethodHandle SOCKET =
      Libc.handle("socket", -1, FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
  private static final MethodHandle SEND =
      Libc.handle(
          "send", -1, FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));
  private static final MethodHandle RECV =
      Libc.handle(
          "recv", -1, FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT));

  private final int fd;
  private int sequence;

  /** For addresses, routes and routing rules. */
  Netlink() throws IOException {
    this(NETLINK_ROUTE);
  }

  /**
   * @param family which of the kernel's parts answers
   */
  Netlink(int family) throws IOException {
    try {
      this.fd =
          Libc.check(
              "socket(AF_NETLINK)",
              (int) SOCKET.invokeExact(Libc.state(), AF_NETLINK, SOCK_RAW_CLOEXEC, family));
    } catch (Throwable t) {
      throw Libc.sneaky(t);
    }
  }

  /**
   * Asks the kernel for one change.
   *
   * @return 0, or the error number with which the kernel refused
   */
  int change(int type, int flags, byte[] body) throws IOException {
    send(type, NLM_F_REQUEST | NLM_F_ACK | flags, body);
    while (true) {
      var answer = receive();
      while (answer.remaining() >= HEADER) {
        var message = next(answer);
        if (message.type == NLMSG_ERROR && message.sequence == sequence) {
          return -message.body.getInt(0);
        }
      }
    }
  }

  /**
   * Asks for one object. The kernel has answered by the time that it has taken the question, so
   * this never waits.
   *
   * @return the answer's body; null where there is no such object
   */
  @Nullable ByteBuffer find(int type, byte[] body) throws IOException {
    send(type, NLM_F_REQUEST, body);
    while (true) {
      var answer = receive(SMALL_BUFFER, MSG_DONTWAIT);
      while (answer.remaining() >= HEADER) {
        var message = next(answer);
        if (message.sequence != sequence) {
          continue;
        }
        if (message.type != NLMSG_ERROR) {
          return message.body;
        }
        int error = -message.body.getInt(0);
        if (error == ENOENT) {
          return null;
        }
        throw new LinuxException("netlink request " + type, error);
      }
    }
  }

  /** All objects that a dump request gives, each as its message's body. */
  List<ByteBuffer> dump(int type, byte[] body) throws IOException {
    for (int attempt = 0; attempt < EINTR_RETRIES; attempt++) {
      var found = dumpOnce(type, body);
      if (found != null) {
        return found;
      }
    }
    throw new IOException("the kernel's tables kept changing while they were read");
  }

  private @Nullable List<ByteBuffer> dumpOnce(int type, byte[] body) throws IOException {
    send(type, NLM_F_REQUEST | NLM_F_DUMP, body);
    var found = new ArrayList<ByteBuffer>();
    boolean interrupted = false;
    while (true) {
      var answer = receive();
      while (answer.remaining() >= HEADER) {
        var message = next(answer);
        if (message.sequence != sequence) {
          continue;
        }
        interrupted |= (message.flags & NLM_F_DUMP_INTR) != 0;
        switch (message.type) {
          case NLMSG_DONE -> {
            return interrupted ? null : found;
          }
          case NLMSG_ERROR ->
              throw new LinuxException("netlink dump " + type, -message.body.getInt(0));
          default -> found.add(message.body);
        }
      }
    }
  }

  private void send(int type, int flags, byte[] body) throws IOException {
    sequence++;
    var message = ByteBuffer.allocate(HEADER + body.length).order(ByteOrder.nativeOrder());
    message.putInt(HEADER + body.length);
    message.putShort((short) type).putShort((short) flags);
    message.putInt(sequence).putInt(0).put(body);
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocateFrom(JAVA_BYTE, message.array());
      if ((long) SEND.invokeExact(Libc.state(), fd, memory, memory.byteSize(), 0) < 0) {
        throw new LinuxException("netlink send", Libc.errno());
      }
    } catch (Throwable t) {
      throw t instanceof IOException e ? e : Libc.sneaky(t);
    }
  }

  private ByteBuffer receive() throws IOException {
    return receive(BUFFER, 0);
  }

  private ByteBuffer receive(int size, int flags) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var memory = arena.allocate(size, 8);
      long length;
      do {
        length = (long) RECV.invokeExact(Libc.state(), fd, memory, memory.byteSize(), flags);
      } while (length < 0 && Libc.errno() == Libc.EINTR);
      if (length < 0) {
        throw new LinuxException("netlink receive", Libc.errno());
      }
      return ByteBuffer.wrap(memory.asSlice(0, length).toArray(JAVA_BYTE))
          .order(ByteOrder.nativeOrder());
    } catch (Throwable t) {
      throw t instanceof IOException e ? e : Libc.sneaky(t);
    }
  }

  private record Message(int type, int flags, int sequence, ByteBuffer body) {}

  private static Message next(ByteBuffer answer) throws IOException {
    int start = answer.position();
    int length = answer.getInt(start);
    if (length < HEADER || length > answer.remaining()) {
      throw new IOException("malformed netlink message of " + length + " bytes");
    }
    var message =
        new Message(
            answer.getShort(start + 4) & 0xffff,
            answer.getShort(start + 6) & 0xffff,
            answer.getInt(start + 8),
            answer.slice(start + HEADER, length - HEADER).order(ByteOrder.nativeOrder()));
    answer.position(Math.min(start + align(length), answer.limit()));
    return message;
  }

  static int align(int length) {
    return (length + 3) & ~3;
  }

  @Override
  public void close() {
    Libc.close(fd);
  }
}
