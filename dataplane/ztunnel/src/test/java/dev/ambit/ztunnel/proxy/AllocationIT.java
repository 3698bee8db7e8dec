package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.ambit.ztunnel.state.LocalPod;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.ResourceLeakDetector;
import java.io.EOFException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Bytes that go through leave nothing on the heap. Both halves of the data path run on one event
 * loop, whose thread is asked how much it has allocated.
 */
@Timeout(240)
class AllocationIT {
  private static final int PORT = 8080;
  private static final int MEBI = 1 << 20;

  /**
   * What a whole MiB may cost, in both halves together. The TLS engine makes one result of 40 bytes
   * for each call, of which there is one for what was read at once. With an object for each TLS
   * record or HTTP/2 frame it would be tens of thousands.
   */
  private static final double BYTES_PER_MEBIBYTE = 8_192;

  /**
   * What a message of a few bytes may cost there and back: two engine calls on each of the four
   * ways through a tunnel's end, and the tasks by which they are flushed.
   */
  private static final double BYTES_PER_ROUND_TRIP = 1_024;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final EventLoopGroup loops =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final EventLoop loop = loops.next();
  private final ThreadMXBean memory = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final ResourceLeakDetector.Level leakDetection = ResourceLeakDetector.getLevel();
  private final TestMesh mesh = new TestMesh();
  private TestNetwork network;
  private TestNetwork.Pod client;
  private TestNetwork.Pod server;
  private PodProxies proxies;
  private PodProxy clientProxy;
  private PodProxy serverProxy;
  private long thread;

  @SuppressWarnings("NullAway.Init") // set up before each test
  AllocationIT() {}

  @BeforeEach
  void setUp() throws Exception {
    DataPathIT.requireRoot();
    // As the program runs: looking for leaks is what would allocate here.
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    thread = loop.submit(() -> Thread.currentThread().threadId()).get();
    network = new TestNetwork();
    client = network.pod("client").capture();
    server = network.pod("server").capture();
    proxies =
        new PodProxies(
            loops,
            ProxySettings.defaults(),
            TunnelLimits.defaults(),
            new Mesh(mesh, mesh, mesh, PeerTrust.plain(), mesh),
            null);
    LocalPod clientPod = new LocalPod("1", "client", "default", "client");
    LocalPod serverPod = new LocalPod("2", "server", "default", "server");
    mesh.add(clientPod, "cluster.local", List.of(client.ipv4, client.ipv6));
    mesh.add(serverPod, "cluster.local", List.of(server.ipv4, server.ipv6));
    clientProxy = get(proxies.start(clientPod, client.handle()).toCompletableFuture());
    serverProxy = get(proxies.start(serverPod, server.handle()).toCompletableFuture());
  }

  @AfterEach
  void tearDown() throws Exception {
    ResourceLeakDetector.setLevel(leakDetection);
    if (clientProxy != null) {
      get(clientProxy.drain(Duration.ZERO).toCompletableFuture());
    }
    if (serverProxy != null) {
      get(serverProxy.drain(Duration.ZERO).toCompletableFuture());
      proxies.close();
    }
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    threads.shutdownNow();
    if (network != null) {
      network.close();
    }
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  /** Connected through both halves: the client's end and the server's. */
  private record Ends(SocketChannel client, SocketChannel server) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      try (client) {
        server.close();
      }
    }
  }

  private Ends connect() throws Exception {
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

  private double allocated() {
    return memory.getThreadAllocatedBytes(thread);
  }

  @Test
  void aStreamAllocatesNothing() throws Exception {
    long mebibytes = 128;
    try (Ends ends = connect()) {
      // Pools fill, and code is compiled.
      transfer(ends.client(), ends.server(), mebibytes * MEBI);
      transfer(ends.server(), ends.client(), mebibytes * MEBI);

      double before = allocated();
      transfer(ends.client(), ends.server(), mebibytes * MEBI);
      double there = (allocated() - before) / mebibytes;
      before = allocated();
      transfer(ends.server(), ends.client(), mebibytes * MEBI);
      double back = (allocated() - before) / mebibytes;

      System.out.printf("heap bytes of a MiB there %.0f, back %.0f%n", there, back);
      assertThat(there).isLessThan(BYTES_PER_MEBIBYTE);
      assertThat(back).isLessThan(BYTES_PER_MEBIBYTE);
    }
  }

  @Test
  void aSmallMessageAllocatesNextToNothing() throws Exception {
    try (Ends ends = connect()) {
      exchange(ends, 5_000);
      int messages = 5_000;
      double before = allocated();
      exchange(ends, messages);
      double each = (allocated() - before) / messages;

      System.out.printf("heap bytes of a round trip %.0f%n", each);
      assertThat(each).isLessThan(BYTES_PER_ROUND_TRIP);
    }
  }

  private void exchange(Ends ends, int messages) throws Exception {
    Future<Boolean> answering =
        threads.submit(
            () -> {
              echo(ends.server(), messages);
              return true;
            });
    ByteBuffer message = ByteBuffer.allocateDirect(64);
    for (int i = 0; i < messages; i++) {
      message.clear();
      while (message.hasRemaining()) {
        ends.client().write(message);
      }
      read(ends.client(), message.capacity());
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
}
