package dev.ambit.ztunnel.bench;

import dev.ambit.linux.NetworkNamespace;
import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * The client of measurements for which there is no ready program, in a process of its own: requests
 * at a steady rate, whatever becomes of the earlier ones, and many idle connections.
 *
 * <p>Reads a line and answers one:
 *
 * <ul>
 *   <li>{@code steady NAMESPACE ADDRESS CONNECTIONS RATE SECONDS}: answers {@code COUNT ERRORS P50
 *       P99 P999 MAX}, latencies in microseconds from the moment when a request was due
 *   <li>{@code echo NAMESPACE ADDRESS udp|tcp RATE SECONDS}: messages of 100 bytes that come back,
 *       of one socket; answers {@code SENT LOST P50 P99}, in microseconds from when each was sent
 *   <li>{@code open NAMESPACE ADDRESS COUNT}: opens connections, uses each once and keeps them;
 *       answers {@code OPEN ERRORS}
 *   <li>{@code close}: closes them; answers {@code OPEN ERRORS}, where an error is a connection
 *       that had ended before
 * </ul>
 */
public final class BenchClient {
  private static final byte[] REQUEST =
      "GET / HTTP/1.1\r\nHost: bench\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
  private static final int LARGEST_ANSWER = 4096;
  private static final int MESSAGE = 100;
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private final List<SocketChannel> idle = new ArrayList<>();

  private BenchClient() {}

  /** Works until its input ends. */
  public static void main(String[] arguments) throws Exception {
    var client = new BenchClient();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      System.out.println(client.answer(line.split(" ")));
    }
  }

  private String answer(String[] words) throws Exception {
    return switch (words[0]) {
      case "steady" -> {
        try (var namespace = namespace(words[1])) {
          yield steady(
              namespace,
              address(words[2]),
              Integer.parseInt(words[3]),
              Integer.parseInt(words[4]),
              Integer.parseInt(words[5]));
        }
      }
      case "echo" -> {
        try (var namespace = namespace(words[1])) {
          yield echo(
              namespace,
              new InetSocketAddress(words[2], BenchServer.ECHO),
              words[3].equals("udp"),
              Integer.parseInt(words[4]),
              Integer.parseInt(words[5]));
        }
      }
      case "open" -> {
        try (var namespace = namespace(words[1])) {
          yield open(namespace, address(words[2]), Integer.parseInt(words[3]));
        }
      }
      case "close" -> close();
      default -> throw new IllegalArgumentException("not a command of the client: " + words[0]);
    };
  }

  private static NetworkNamespace namespace(String name) throws IOException {
    return NetworkNamespace.open("/var/run/netns/" + name);
  }

  private static InetSocketAddress address(String address) {
    return new InetSocketAddress(address, BenchServer.HTTP);
  }

  private static SocketChannel connect(NetworkNamespace namespace, InetSocketAddress address)
      throws IOException {
    try {
      return namespace.call(
          () -> {
            var channel = SocketChannel.open();
            try {
              channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
              channel.connect(address);
              return channel;
            } catch (IOException e) {
              channel.close();
              throw e;
            }
          });
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  private static void exchange(SocketChannel channel, ByteBuffer request, ByteBuffer answer)
      throws IOException {
    request.rewind();
    while (request.hasRemaining()) {
      channel.write(request);
    }
    answer.clear();
    int expected = Integer.MAX_VALUE;
    while (answer.position() < expected) {
      if (channel.read(answer) < 0) {
        throw new EOFException("the connection ended in the midst of an answer");
      }
      if (expected == Integer.MAX_VALUE) {
        expected = length(answer);
      }
    }
  }

  /** The length of a whole answer, once its head is there; the body is 1 KiB. */
  private static int length(ByteBuffer answer) {
    for (int i = 3; i < answer.position(); i++) {
      if (answer.get(i) == '\n' && answer.get(i - 2) == '\n') {
        return i + 1 + BenchServer.BODY;
      }
    }
    return Integer.MAX_VALUE;
  }

  private static ByteBuffer request() {
    return ByteBuffer.allocateDirect(REQUEST.length).put(REQUEST);
  }

  private static String steady(
      NetworkNamespace namespace, InetSocketAddress address, int connections, int rate, int seconds)
      throws InterruptedException {
    int each = rate * seconds / connections;
    var latencies = new long[connections][each];
    var errors = new AtomicInteger();
    var connected = new CountDownLatch(connections);
    long interval = 1_000_000_000L * connections / rate;
    var start = new long[1];
    var go = new CountDownLatch(1);
    var threads = new ArrayList<Thread>();
    for (int i = 0; i < connections; i++) {
      int number = i;
      threads.add(
          Thread.ofPlatform()
              .start(
                  () -> {
                    var mine = latencies[number];
                    int done = 0;
                    try (var channel = connect(namespace, address)) {
                      connected.countDown();
                      go.await();
                      var request = request();
                      var answer = ByteBuffer.allocateDirect(LARGEST_ANSWER);
                      for (; done < each; done++) {
                        long due = start[0] + done * interval + number * interval / connections;
                        for (long now = System.nanoTime(); now < due; now = System.nanoTime()) {
                          LockSupport.parkNanos(due - now);
                        }
                        exchange(channel, request, answer);
                        mine[done] = System.nanoTime() - due;
                      }
                    } catch (IOException e) {
                      connected.countDown();
                      errors.addAndGet(each - done);
                      Arrays.fill(mine, done, each, -1);
                    } catch (InterruptedException e) {
                      Thread.currentThread().interrupt();
                    }
                  }));
    }
    connected.await();
    start[0] = System.nanoTime() + 10_000_000;
    go.countDown();
    for (var thread : threads) {
      thread.join();
    }
    var sorted =
        Arrays.stream(latencies)
            .flatMapToLong(Arrays::stream)
            .filter(l -> l >= 0)
            .sorted()
            .toArray();
    return "%d %d %d %d %d %d"
        .formatted(
            sorted.length,
            errors.get(),
            quantile(sorted, 0.5),
            quantile(sorted, 0.99),
            quantile(sorted, 0.999),
            quantile(sorted, 1));
  }

  private static String echo(
      NetworkNamespace namespace,
      InetSocketAddress address,
      boolean datagrams,
      int rate,
      int seconds)
      throws IOException, InterruptedException {
    int count = rate * seconds;
    var latencies = new long[count];
    Arrays.fill(latencies, -1);
    try (var channel = datagrams ? datagrams(namespace, address) : connect(namespace, address)) {
      var reader = Thread.ofPlatform().daemon().start(() -> readEchoes(channel, latencies));
      var message = ByteBuffer.allocateDirect(MESSAGE);
      long start = System.nanoTime();
      for (int i = 0; i < count; i++) {
        long due = start + i * 1_000_000_000L / rate;
        for (long now = System.nanoTime(); now < due; now = System.nanoTime()) {
          LockSupport.parkNanos(due - now);
        }
        message.clear().putInt(0, i).putLong(Integer.BYTES, System.nanoTime());
        while (message.hasRemaining()) {
          channel.write(message);
        }
      }
      reader.join(LAST_ANSWERS);
    }
    var sorted = Arrays.stream(latencies).filter(l -> l >= 0).sorted().toArray();
    return "%d %d %d %d"
        .formatted(count, count - sorted.length, quantile(sorted, 0.5), quantile(sorted, 0.99));
  }

  private static void readEchoes(ByteChannel channel, long[] latencies) {
    var message = ByteBuffer.allocateDirect(MESSAGE);
    try {
      for (int i = 0; i < latencies.length; i++) {
        message.clear();
        while (message.hasRemaining()) {
          if (channel.read(message) < 0) {
            return;
          }
        }
        latencies[message.getInt(0)] = System.nanoTime() - message.getLong(Integer.BYTES);
      }
    } catch (IOException e) {
      // What has not come back by now is lost.
    }
  }

  private static DatagramChannel datagrams(NetworkNamespace namespace, InetSocketAddress address)
      throws IOException {
    try {
      var channel = namespace.call(DatagramChannel::open);
      channel.connect(address);
      return channel;
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException(e);
    }
  }

  private static long quantile(long[] sorted, double quantile) {
    if (sorted.length == 0) {
      return -1;
    }
    int index = (int) Math.ceil(quantile * sorted.length) - 1;
    return sorted[Math.max(0, index)] / 1000;
  }

  private String open(NetworkNamespace namespace, InetSocketAddress address, int count) {
    var request = request();
    var answer = ByteBuffer.allocateDirect(LARGEST_ANSWER);
    int errors = 0;
    // What an attempt that failed may have left.
    close();
    for (int i = 0; i < count; i++) {
      try {
        var channel = connect(namespace, address);
        idle.add(channel);
        exchange(channel, request, answer);
      } catch (IOException e) {
        errors++;
      }
    }
    return idle.size() + " " + errors;
  }

  private String close() {
    int ended = 0;
    int open = idle.size();
    for (var channel : idle) {
      try (channel) {
        channel.configureBlocking(false);
        if (channel.read(ByteBuffer.allocate(1)) != 0) {
          ended++;
        }
      } catch (IOException reset) {
        ended++;
      }
    }
    idle.clear();
    return open + " " + ended;
  }
}
