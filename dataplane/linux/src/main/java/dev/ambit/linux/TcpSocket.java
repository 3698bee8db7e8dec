package dev.ambit.linux;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A TCP socket as the kernel's socket table shows it. */
public record TcpSocket(InetSocketAddress local, InetSocketAddress remote, State state) {
  /** The states of {@code /proc/net/tcp}, in the order of their numbers, which start at 1. */
  public enum State {
    ESTABLISHED,
    SYN_SENT,
    SYN_RECV,
    FIN_WAIT1,
    FIN_WAIT2,
    TIME_WAIT,
    CLOSE,
    CLOSE_WAIT,
    LAST_ACK,
    LISTEN,
    CLOSING,
    NEW_SYN_RECV,
    BOUND_INACTIVE
  }

  private static final State[] STATES = State.values();

  /** All TCP sockets of the calling thread's network namespace. */
  public static List<TcpSocket> read() throws IOException {
    return read("tcp", "tcp6");
  }

  /** The sockets of some of the kernel's tables, which all have one form. */
  static List<TcpSocket> read(String... tables) throws IOException {
    var sockets = new ArrayList<TcpSocket>();
    for (var name : tables) {
      // thread-self, since self shows the namespace of the process's first thread.
      var table = "/proc/thread-self/net/" + name;
      try (var lines = Files.newBufferedReader(Path.of(table))) {
        lines.readLine();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          sockets.add(parse(line));
        }
      } catch (NoSuchFileException e) {
        if (!table.endsWith("6")) {
          throw e;
        }
      }
    }
    return sockets;
  }

  static TcpSocket parse(String line) throws IOException {
    var fields = line.strip().split("\\s+", 5);
    try {
      int state = Integer.parseInt(fields[3], 16);
      return new TcpSocket(endpoint(fields[1]), endpoint(fields[2]), STATES[state - 1]);
    } catch (ArrayIndexOutOfBoundsException | IllegalArgumentException e) {
      throw new IOException("unreadable line of a socket table: " + line, e);
    }
  }

  /** Addresses are printed as 32-bit words of the machine's byte order. */
  private static InetSocketAddress endpoint(String text) throws UnknownHostException {
    int colon = text.indexOf(':');
    if (colon != 8 && colon != 32) {
      throw new IllegalArgumentException(text);
    }
    var address = ByteBuffer.allocate(colon / 2).order(ByteOrder.nativeOrder());
    for (int at = 0; at < colon; at += 8) {
      address.putInt(Integer.parseUnsignedInt(text, at, at + 8, 16));
    }
    int port = Integer.parseInt(text, colon + 1, text.length(), 16);
    return new InetSocketAddress(InetAddress.getByAddress(address.array()), port);
  }
}
