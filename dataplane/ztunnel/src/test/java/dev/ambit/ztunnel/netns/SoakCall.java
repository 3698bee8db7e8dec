package dev.ambit.ztunnel.netns;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** One call of a soak, from opening a connection to what its client wants of it. */
@FunctionalInterface
interface SoakCall {
  /** More than a call may ever have to wait for its server. */
  Duration TIMEOUT = Duration.ofSeconds(60);

  /**
   * Makes the call, and fails where anything of it is not as it should be.
   *
   * @param over opens when the load is to end: a long call then ends early, in order
   */
  void make(Pod from, InetSocketAddress to, SoakTarget.Attempt attempt, CountDownLatch over)
      throws IOException, InterruptedException;

  /** Bytes that both ends of a call can make. */
  static byte[] payload(int size, long seed) {
    var bytes = new byte[size];
    new SplittableRandom(seed).nextBytes(bytes);
    return bytes;
  }

  /** One request on a connection of its own. */
  static SoakCall request(int size) {
    return requests(1, size, Duration.ZERO);
  }

  /** Requests one after another on one connection, with pauses, up to the server's last one. */
  static SoakCall requests(int count, int size, Duration pause) {
    return (from, to, attempt, over) -> {
      try (var connection = Connection.open(from, to)) {
        for (int i = 0; i < count; i++) {
          if (!connection.get(size, attempt)
              || over.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
            return;
          }
        }
      }
    };
  }

  /** A stream both ways, each byte of which is compared, that ends half by half. */
  static SoakCall stream(int rounds, Duration pause) {
    return (from, to, attempt, over) -> {
      try (var connection = Connection.open(from, to)) {
        connection.tcp.send("ECHO\n");
        connection.expectLine("OK", attempt);
        for (int i = 0; i < rounds; i++) {
          var chunk = payload(65_536, i);
          connection.tcp.send(chunk);
          connection.expect(chunk);
          if (over.await(pause.toMillis(), TimeUnit.MILLISECONDS)) {
            break;
          }
        }
        connection.tcp.finishSending();
        connection.expectEnd();
      }
    };
  }

  /** A question whose end is its sender's half-close, and an answer that comes after it. */
  static SoakCall halfClose(int size) {
    return (from, to, attempt, over) -> {
      try (var connection = Connection.open(from, to)) {
        connection.tcp.send("LENGTH\n");
        connection.tcp.send(payload(size, 1));
        connection.tcp.finishSending();
        connection.expectLine(Integer.toString(size), attempt);
        connection.expect(payload(size, size));
        connection.expectEnd();
      }
    };
  }

  /** A client that resets its connection in the middle of a stream. */
  static SoakCall reset() {
    return (from, to, attempt, over) -> {
      var connection = Connection.open(from, to);
      try {
        connection.tcp.send("ECHO\n");
        connection.expectLine("OK", attempt);
        connection.tcp.send(payload(65_536, 1));
      } finally {
        connection.tcp.reset();
      }
    };
  }

  /** Many connections on which nothing happens for a while, and which are good afterwards. */
  static SoakCall idle(int count, Duration pause) {
    return (from, to, attempt, over) -> {
      var open = new ArrayList<Connection>();
      try {
        for (int i = 0; i < count; i++) {
          open.add(Connection.open(from, to));
        }
        over.await(pause.toMillis(), TimeUnit.MILLISECONDS);
        for (var connection : open) {
          connection.get(100, attempt);
        }
      } finally {
        for (var connection : open) {
          connection.close();
        }
      }
    };
  }

  /** A call that policy forbids, and that therefore must not be answered. */
  static SoakCall forbidden() {
    return (from, to, attempt, over) -> {
      try (var connection = Connection.open(from, to)) {
        connection.get(10, attempt);
      } catch (SocketTimeoutException e) {
        throw new IOException("a forbidden call is left hanging", e);
      } catch (IOException refused) {
        return;
      }
      throw new IOException("a forbidden call was answered");
    };
  }

  /** The client's side of a connection to a {@link SoakServer}. */
  final class Connection implements AutoCloseable {
    private final TcpClient tcp;
    private final InputStream input;

    private Connection(TcpClient tcp) throws IOException {
      this.tcp = tcp;
      this.input = new BufferedInputStream(tcp.socket().getInputStream());
    }

    private static Connection open(Pod from, InetSocketAddress to) throws IOException {
      var tcp = TcpClient.connect(from.host(), to, TIMEOUT);
      tcp.socket().setSoTimeout((int) TIMEOUT.toMillis());
      return new Connection(tcp);
    }

    /** Asks for bytes and compares them; false where it is the connection's last answer. */
    private boolean get(int size, SoakTarget.Attempt attempt) throws IOException {
      tcp.send("GET " + size + "\n");
      var line = answer(attempt);
      if (!line.equals("KEEP " + size) && !line.equals("CLOSE " + size)) {
        throw new IOException("the answer is '" + line + "'");
      }
      expect(payload(size, size));
      return line.startsWith("KEEP");
    }

    private String answer(SoakTarget.Attempt attempt) throws IOException {
      var line = SoakServer.readLine(input);
      if (line.isEmpty()) {
        throw new EOFException("the connection ended without an answer");
      }
      attempt.answered();
      return line;
    }

    private void expectLine(String expected, SoakTarget.Attempt attempt) throws IOException {
      var line = answer(attempt);
      if (!line.equals(expected)) {
        throw new IOException("the answer is '" + line + "' instead of '" + expected + "'");
      }
    }

    private void expect(byte[] expected) throws IOException {
      var received = input.readNBytes(expected.length);
      int different = Arrays.mismatch(received, expected);
      if (received.length < expected.length) {
        throw new EOFException(
            "the connection ended after %d of %d bytes"
                .formatted(received.length, expected.length));
      }
      if (different >= 0) {
        throw new IOException("byte %d of %d is wrong".formatted(different, expected.length));
      }
    }

    private void expectEnd() throws IOException {
      if (input.read() >= 0) {
        throw new IOException("more came than was sent");
      }
    }

    @Override
    public void close() throws IOException {
      tcp.close();
    }
  }
}
