package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** A program in a pod that serves TCP on all its addresses, and remembers who called. */
final class TcpServer implements AutoCloseable {
  /** What is done with one connection; it is closed afterwards. */
  @FunctionalInterface
  interface Conversation {
    void hold(Socket socket) throws IOException;
  }

  private final ServerSocket listener;
  private final Thread accepting;
  private final Conversation conversation;
  private final List<InetSocketAddress> callers = new CopyOnWriteArrayList<>();
  private final List<IOException> failures = new CopyOnWriteArrayList<>();
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();

  private TcpServer(Pod pod, ServerSocket listener, Conversation conversation) {
    this.listener = listener;
    this.conversation = conversation;
    this.accepting = Thread.ofPlatform().daemon().name("server-" + pod).unstarted(this::accept);
  }

  static TcpServer start(Pod pod, int port, Conversation conversation) throws IOException {
    var listener =
        pod.host()
            .bindSocket(
                () -> {
                  var socket = new ServerSocket();
                  socket.setReuseAddress(true);
                  socket.bind(new InetSocketAddress(port), 256);
                  return socket;
                });
    var server = new TcpServer(pod, listener, conversation);
    server.accepting.start();
    return server;
  }

  /** Sends back what comes, and ends when the client has ended. */
  static TcpServer echo(Pod pod, int port) throws IOException {
    return start(
        pod,
        port,
        socket -> {
          socket.getInputStream().transferTo(socket.getOutputStream());
          socket.shutdownOutput();
        });
  }

  /** Says the caller's address as it sees it, and ends. */
  static TcpServer callerAddress(Pod pod, int port) throws IOException {
    return start(
        pod,
        port,
        socket ->
            socket
                .getOutputStream()
                .write(
                    socket.getInetAddress().getHostAddress().getBytes(StandardCharsets.US_ASCII)));
  }

  private void accept() {
    while (true) {
      try {
        var socket = listener.accept();
        callers.add((InetSocketAddress) socket.getRemoteSocketAddress());
        open.add(socket);
        Thread.ofVirtual().start(() -> serve(socket));
      } catch (IOException e) {
        if (!listener.isClosed()) {
          failures.add(e);
        }
        return;
      }
    }
  }

  private void serve(Socket socket) {
    try (socket) {
      socket.setTcpNoDelay(true);
      conversation.hold(socket);
    } catch (IOException e) {
      failures.add(e);
    } finally {
      open.remove(socket);
    }
  }

  /** Who connected, in order, as the program sees it. */
  List<InetSocketAddress> callers() {
    return callers;
  }

  /** How conversations failed. */
  List<IOException> failures() {
    return failures;
  }

  /** How many conversations go on. */
  int open() {
    return open.size();
  }

  @Override
  public void close() throws IOException {
    listener.close();
    try {
      // The kernel keeps the port for as long as a thread waits on it.
      accepting.join(Patience.SHORT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Socket socket : open) {
      socket.close();
    }
  }
}
