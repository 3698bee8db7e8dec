package dev.ambit.ztunnel.netns;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A program in a pod that answers {@link SoakCall}s, and that can end as a good one does: it tells
 * its clients that it goes, and lets what is open come to its end.
 */
final class SoakServer implements AutoCloseable {
  static final int PORT = 8080;

  private static final int LONGEST_LINE = 200;

  private final ServerSocket listener;
  private final Thread accepting;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private volatile boolean draining;

  private SoakServer(Pod pod, ServerSocket listener) {
    this.listener = listener;
    this.accepting = Thread.ofPlatform().daemon().name("soak-" + pod).unstarted(this::accept);
  }

  static SoakServer start(Pod pod) throws IOException {
    var listener =
        pod.host()
            .bindSocket(
                () -> {
                  var socket = new ServerSocket();
                  socket.setReuseAddress(true);
                  socket.bind(new InetSocketAddress(PORT), 256);
                  return socket;
                });
    var server = new SoakServer(pod, listener);
    server.accepting.start();
    return server;
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        var socket = listener.accept();
        open.add(socket);
        Thread.ofVirtual().start(() -> serve(socket));
      } catch (IOException closed) {
        // Closing the listener ends the loop; a connection that broke while it waited is the
        // client's to report.
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      var input = new BufferedInputStream(socket.getInputStream());
      while (answer(input, socket)) {
        // The next request on the same connection.
      }
    } catch (IOException broken) {
      // What a call lacks its client reports.
    } finally {
      open.remove(socket);
    }
  }

  /** Answers one request; false where the connection is over. */
  private boolean answer(InputStream input, Socket socket) throws IOException {
    var line = readLine(input);
    if (line.isEmpty()) {
      return false;
    }
    var request = line.split(" ");
    var output = socket.getOutputStream();
    switch (request[0]) {
      case "GET" -> {
        boolean last = draining;
        int size = Integer.parseInt(request[1]);
        var head = (last ? "CLOSE " : "KEEP ") + size + "\n";
        output.write(head.getBytes(StandardCharsets.US_ASCII));
        output.write(SoakCall.payload(size, size));
        return !last;
      }
      case "ECHO" -> {
        output.write("OK\n".getBytes(StandardCharsets.US_ASCII));
        input.transferTo(output);
        socket.shutdownOutput();
        return false;
      }
      case "LENGTH" -> {
        // Answers only when the question is known to be over.
        long length = input.transferTo(java.io.OutputStream.nullOutputStream());
        output.write((length + "\n").getBytes(StandardCharsets.US_ASCII));
        output.write(SoakCall.payload((int) length, (int) length));
        socket.shutdownOutput();
        return false;
      }
      default -> throw new IOException("not a request: " + line);
    }
  }

  /** Reads up to a line feed, which is left out; empty at the end of the connection. */
  static String readLine(InputStream input) throws IOException {
    var line = new StringBuilder();
    while (true) {
      int next = input.read();
      if (next == '\n') {
        return line.toString();
      }
      if (next < 0) {
        if (line.isEmpty()) {
          return "";
        }
        throw new EOFException("the connection ended after '" + line + "'");
      }
      if (line.length() == LONGEST_LINE) {
        throw new IOException("too long a line: " + line);
      }
      line.append((char) next);
    }
  }

  /** From now on each connection is over after its next answer. */
  void drain() {
    draining = true;
  }

  int open() {
    return open.size();
  }

  /** Ends at once, whatever is open. */
  @Override
  public void close() throws IOException {
    listener.close();
    try {
      accepting.join(Duration.ofSeconds(20));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Socket socket : open) {
      socket.setSoLinger(true, 0);
      socket.close();
    }
  }
}
