package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What went over one link of a node since the capture began: every packet, whole.
 *
 * <p>Reading it sends a packet of its own over the link and waits until that is captured, so that
 * what went before it is known to be there, and what is absent is known to be absent.
 */
final class PacketCapture implements AutoCloseable {
  private static final int DISCARD_PORT = 9;
  private static final int PCAP_HEADER = 24;

  private final Host host;
  private final InetAddress beyond;
  private final Process process;
  private final Thread reader;
  private final List<CapturedPacket> packets = new ArrayList<>();
  private volatile @Nullable IOException failure;

  private PacketCapture(Host host, String link, InetAddress beyond) {
    this.host = host;
    this.beyond = beyond;
    try {
      this.process =
          new ProcessBuilder(
                  host.command(
                      List.of(
                          "tcpdump",
                          "-i",
                          link,
                          "-n",
                          "-U",
                          "-s",
                          "0",
                          "-B",
                          "32768",
                          "--immediate-mode",
                          "-w",
                          "-")))
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
    } catch (IOException e) {
      throw new IllegalStateException("cannot start tcpdump on " + link + " of " + host, e);
    }
    this.reader = Thread.ofPlatform().daemon().name("capture-" + link).start(this::read);
  }

  /** Captures what goes between the two nodes. */
  static PacketCapture betweenNodes(Network network) {
    try {
      return started(
          new PacketCapture(
              network.a().host(), Network.WIRE, InetAddress.getByName("192.168.100.2")));
    } catch (java.net.UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  /** Captures what goes between {@code pod} and its node, which has all traffic of one node. */
  static PacketCapture of(Pod pod) {
    return started(new PacketCapture(pod.node().host(), pod.link(), pod.ipv4()));
  }

  private static PacketCapture started(PacketCapture capture) {
    try {
      capture.settle();
      return capture;
    } catch (RuntimeException e) {
      capture.close();
      throw e;
    }
  }

  private void read() {
    try (var input = new DataInputStream(process.getInputStream())) {
      var header = ByteBuffer.wrap(input.readNBytes(PCAP_HEADER));
      if (header.remaining() < PCAP_HEADER) {
        throw new IOException("tcpdump ended before it began");
      }
      var order = header.getInt(0) == 0xa1b2c3d4 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
      while (true) {
        var record = ByteBuffer.wrap(input.readNBytes(16)).order(order);
        if (record.remaining() < 16) {
          throw new EOFException("tcpdump ended");
        }
        var frame = input.readNBytes(record.getInt(8));
        var packet = CapturedPacket.parse(frame);
        synchronized (packets) {
          packet.ifPresent(packets::add);
        }
      }
    } catch (IOException e) {
      failure = e;
    }
  }

  /** Waits until all that was sent before this call is in {@link #packets()}. */
  private void settle() {
    var mark = UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII);
    await("a packet of our own on the link")
        .atMost(Patience.LONG)
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(50))
        .until(
            () -> {
              if (failure != null) {
                throw new IllegalStateException("the capture ended", failure);
              }
              send(mark);
              return captured().stream().anyMatch(packet -> Arrays.equals(packet.payload(), mark));
            });
  }

  private List<CapturedPacket> captured() {
    synchronized (packets) {
      return List.copyOf(packets);
    }
  }

  private void send(byte[] payload) throws IOException {
    try (DatagramSocket socket = host.callSocket(DatagramSocket::new)) {
      socket.send(
          new DatagramPacket(payload, payload.length, new InetSocketAddress(beyond, DISCARD_PORT)));
    }
  }

  /** Everything up to now, without the capture's own packets. */
  List<CapturedPacket> packets() {
    settle();
    return captured().stream()
        .filter(packet -> packet.isTcp() || packet.destinationPort() != DISCARD_PORT)
        .toList();
  }

  /** The ports to which TCP connections between the two pods were opened. */
  Set<Integer> portsOpened(Pod client, Pod server) {
    return packets().stream()
        .filter(packet -> packet.isTcp() && packet.isBetween(client, server))
        .filter(packet -> (packet.flags() & 0x12) == 0x02)
        .map(CapturedPacket::destinationPort)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** Whether {@code marker} was readable in what went over the link. */
  boolean shows(String marker) {
    var wanted = marker.getBytes(StandardCharsets.UTF_8);
    return flows().values().stream().anyMatch(bytes -> contains(bytes.toByteArray(), wanted));
  }

  /** The payload of each direction of each connection, in the order in which it was captured. */
  private Map<String, ByteArrayOutputStream> flows() {
    var flows = new LinkedHashMap<String, ByteArrayOutputStream>();
    for (var packet : packets()) {
      var flow =
          packet.source()
              + ":"
              + packet.sourcePort()
              + ">"
              + packet.destination()
              + ":"
              + packet.destinationPort();
      flows.computeIfAbsent(flow, key -> new ByteArrayOutputStream()).writeBytes(packet.payload());
    }
    return flows;
  }

  private static boolean contains(byte[] bytes, byte[] wanted) {
    var text = new String(bytes, StandardCharsets.ISO_8859_1);
    return text.contains(new String(wanted, StandardCharsets.ISO_8859_1));
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      reader.join(Patience.LONG);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
