package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** A TCP connection that a program in a pod opened. Every wait on it is bounded. */
final class TcpClient implements AutoCloseable {
  private static final Duration TIMEOUT = Patience.MIDDLE;

  /** How a connection was found to have ended. */
  enum End {
    /** The other side finished in order. */
    FINISHED,
    /** It was reset. */
    RESET
  }

  private final Socket socket;

  private TcpClient(Socket socket) {
    this.socket = socket;
  }

  /**
   * Connects from {@code host} to {@code destination}.
   *
   * @throws IOException where the connection is refused or not answered
   */
  static TcpClient connect(Host host, InetSocketAddress destination) throws IOException {
    return connect(host, destination, TIMEOUT);
  }

  static TcpClient connect(Host host, InetSocketAddress destination, Duration timeout)
      throws IOException {
    return new TcpClient(
        host.callSocket(
            () -> {
              var socket = new Socket();
              try {
                socket.setTcpNoDelay(true);
                socket.setSoTimeout((int) TIMEOUT.toMillis());
                socket.connect(destination, (int) timeout.toMillis());
                return socket;
              } catch (IOException e) {
                socket.close();
                throw e;
              }
            }));
  }

  static TcpClient connect(Pod pod, InetSocketAddress destination) throws IOException {
    return connect(pod.host(), destination);
  }

  Socket socket() {
    return socket;
  }

  void send(String text) throws IOException {
    send(text.getBytes(StandardCharsets.UTF_8));
  }

  void send(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  /** Reads exactly as many bytes as {@code expected} has and returns them as text. */
  String receive(int length) throws IOException {
    var bytes = socket.getInputStream().readNBytes(length);
    if (bytes.length < length) {
      throw new IOException(
          "the connection ended after %d of %d bytes".formatted(bytes.length, length));
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Sends {@code text} and returns the echo. */
  String echo(String text) throws IOException {
    send(text);
    return receive(text.getBytes(StandardCharsets.UTF_8).length);
  }

  /** Says that nothing more will be sent; the other direction stays open. */
  void finishSending() throws IOException {
    socket.shutdownOutput();
  }

  /** Reads up to the other side's end. */
  byte[] receiveAll() throws IOException {
    return socket.getInputStream().readAllBytes();
  }

  /**
   * Reads, ignoring data, until the connection ends.
   *
   * @throws SocketTimeoutException where it stays open
   */
  End awaitEnd() throws IOException {
    var buffer = new byte[16384];
    try {
      while (socket.getInputStream().read(buffer) >= 0) {
        // What came before the end does not matter here.
      }
      return End.FINISHED;
    } catch (SocketTimeoutException e) {
      throw e;
    } catch (IOException e) {
      return End.RESET;
    }
  }

  /** Ends the connection with a reset instead of in order. */
  void reset() throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
