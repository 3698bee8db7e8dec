package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Leads connections out of a network namespace to a port on the test's own loopback. What comes
 * back to one of those who connect can be held up for a while.
 */
final class Relay implements AutoCloseable {
  private final ServerSocket listener;
  private final int target;
  private final Set<Socket> open = ConcurrentHashMap.newKeySet();
  private final Set<InetAddress> held = new HashSet<>();

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
        pump(inside, outside, null);
        pump(outside, inside, inside.getInetAddress());
      } catch (IOException e) {
        if (listener.isClosed()) {
          return;
        }
      }
    }
  }

  /** From now on nothing comes back to {@code client}, until {@link #release}. */
  void hold(InetAddress client) {
    synchronized (held) {
      held.add(client);
    }
  }

  void release(InetAddress client) {
    synchronized (held) {
      held.remove(client);
      held.notifyAll();
    }
  }

  private void awaitRelease(@Nullable InetAddress client) throws IOException {
    synchronized (held) {
      while (client != null && held.contains(client)) {
        try {
          held.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new IOException(e);
        }
      }
    }
  }

  private void pump(Socket from, Socket to, @Nullable InetAddress client) {
    Thread.ofPlatform()
        .daemon()
        .name("relay-pump")
        .start(
            () -> {
              try (from;
                  to) {
                byte[] buffer = new byte[1 << 14];
                for (int n = from.getInputStream().read(buffer);
                    n >= 0;
                    n = from.getInputStream().read(buffer)) {
                  awaitRelease(client);
                  to.getOutputStream().write(buffer, 0, n);
                }
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
    synchronized (held) {
      held.clear();
      held.notifyAll();
    }
    for (Socket socket : open) {
      socket.close();
    }
  }
}
