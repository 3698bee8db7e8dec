package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Leads connections out of a network namespace to a port on the test's own loopback. */
final class Relay implements AutoCloseable {
  private final ServerSocket listener;
  private final int target;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();

  private Relay(ServerSocket listener, int target) {
    this.listener = listener;
    this.target = target;
  }

  static Relay start(Host host, int port, int target) {
    var listener =
        host.bindSocket(
            () -> {
              var socket = new ServerSocket();
              socket.setReuseAddress(true);
              socket.bind(new InetSocketAddress(port));
              return socket;
            });
    var relay = new Relay(listener, target);
    Thread.ofPlatform().daemon().name("relay").start(relay::accept);
    return relay;
  }

  private void accept() {
    while (true) {
      try {
        var inside = listener.accept();
        var outside = new Socket(InetAddress.getLoopbackAddress(), target);
        open.add(inside);
        open.add(outside);
        pump(inside, outside);
        pump(outside, inside);
      } catch (IOException e) {
        if (listener.isClosed()) {
          return;
        }
      }
    }
  }

  private void pump(Socket from, Socket to) {
    Thread.ofPlatform()
        .daemon()
        .name("relay-pump")
        .start(
            () -> {
              try (from;
                  to) {
                from.getInputStream().transferTo(to.getOutputStream());
              } catch (IOException ended) {
                // Both ends are closed now.
              } finally {
                open.remove(from);
                open.remove(to);
              }
            });
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : open) {
      socket.close();
    }
  }
}
