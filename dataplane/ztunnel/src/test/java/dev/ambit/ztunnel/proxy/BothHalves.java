package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.state.LocalPod;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Two captured pods and both halves of the data path between them, on one event loop, so that what
 * it costs can be asked of one thread. Needs root.
 */
final class BothHalves implements AutoCloseable {
  private static final int PORT = 8080;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final EventLoopGroup loops = new MultiThreadIoEventLoopGroup(1, ProxyEpoll.factory());
  private final EventLoop loop = loops.next();
  private final TestMesh mesh = new TestMesh();
  private final TestNetwork network = new TestNetwork();
  private final TestNetwork.Pod client = network.pod("client").capture();
  private final TestNetwork.Pod server = network.pod("server").capture();
  private final PodProxies proxies =
      new PodProxies(
          loops,
          ProxySettings.defaults(),
          TunnelLimits.defaults(),
          new Mesh(mesh, mesh, mesh, PeerTrust.plain(), mesh),
          null);
  private final PodProxy clientProxy = start(client, "client");
  private final PodProxy serverProxy = start(server, "server");

  BothHalves() throws Exception {}

  private PodProxy start(TestNetwork.Pod pod, String name) throws Exception {
    LocalPod local = new LocalPod(name, name, "default", name);
    mesh.add(local, "cluster.local", List.of(pod.ipv4, pod.ipv6));
    return get(proxies.start(local, pod.handle()).toCompletableFuture());
  }

  /** Id of the event loop's thread. */
  long thread() throws Exception {
    return loop.submit(() -> Thread.currentThread().threadId()).get();
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  /** Connected through both halves: the client's end and the server's. */
  final class Ends implements AutoCloseable {
    private final SocketChannel client;
    private final SocketChannel server;

    private Ends(SocketChannel client, SocketChannel server) {
      this.client = client;
      this.server = server;
    }

    /** Sends bytes from the client, and returns when the server has them all. */
    void there(long bytes) throws Exception {
      transfer(client, server, bytes);
    }

    /** Sends bytes from the server, and returns when the client has them all. */
    void back(long bytes) throws Exception {
      transfer(server, client, bytes);
    }

    /** Sends messages of 64 bytes one after the other, each when the last one has come back. */
    void exchange(int messages) throws Exception {
      Future<Boolean> answering =
          threads.submit(
              () -> {
                echo(server, messages);
                return true;
              });
      ByteBuffer message = ByteBuffer.allocateDirect(64);
      for (int i = 0; i < messages; i++) {
        message.clear();
        while (message.hasRemaining()) {
          client.write(message);
        }
        read(client, message.capacity());
      }
      get(answering);
    }

    private static void echo(SocketChannel channel, int messages) throws IOException {
      ByteBuffer message = ByteBuffer.allocateDirect(64);
      for (int i = 0; i < messages; i++) {
        message.clear();
        while (message.hasRemaining()) {
          if (channel.read(message) < 0) {
            throw new EOFException("after " + i + " messages");
          }
        }
        message.flip();
        while (message.hasRemaining()) {
          channel.write(message);
        }
      }
    }

    @Override
    public void close() throws IOException {
      try (client) {
        server.close();
      }
    }
  }

  Ends connect() throws Exception {
    try (ServerSocketChannel listener = server.listen(PORT)) {
      Future<SocketChannel> accepted = threads.submit(listener::accept);
      SocketChannel connected = client.connect(server.ipv4, PORT);
      return new Ends(connected, get(accepted));
    }
  }

  private void transfer(SocketChannel from, SocketChannel to, long bytes) throws Exception {
    Callable<Long> sending =
        () -> {
          ByteBuffer buffer = ByteBuffer.allocateDirect(256 << 10);
          for (long left = bytes; left > 0; ) {
            buffer.clear().limit((int) Math.min(left, buffer.capacity()));
            left -= from.write(buffer);
          }
          return bytes;
        };
    Future<Long> sent = threads.submit(sending);
    read(to, bytes);
    get(sent);
  }

  private static void read(SocketChannel from, long bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(256 << 10);
    for (long left = bytes; left > 0; ) {
      buffer.clear().limit((int) Math.min(left, buffer.capacity()));
      int count = from.read(buffer);
      if (count < 0) {
        throw new EOFException("with " + left + " bytes to come");
      }
      left -= count;
    }
  }

  @Override
  public void close() throws Exception {
    get(clientProxy.drain(Duration.ZERO).toCompletableFuture());
    get(serverProxy.drain(Duration.ZERO).toCompletableFuture());
    proxies.close();
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    threads.shutdownNow();
    network.close();
  }
}
