package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Datagrams to elsewhere are taken by a socket here, and answered in the name of elsewhere. */
@Timeout(60)
class TransparentUdpIT {
  private static final MarkedLocalRoute ROUTE = new MarkedLocalRoute(0x222, 0xfff, 32763, 101);
  private static final int LISTENER = 15009;
  private static final int PATIENCE = 20_000;

  private TestNamespace namespace;
  private DatagramBatch batch;

  @BeforeEach
  void create() throws Exception {
    namespace = new TestNamespace("tproxy");
    batch = new DatagramBatch();
    namespace.ip("link", "set", "lo", "up");
    namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
    namespace.ip("addr", "add", "10.1.0.2/32", "dev", "eth0");
    namespace.ip("addr", "add", "fd00:1::2/128", "dev", "eth0", "nodad");
    namespace.ip("link", "set", "eth0", "up");
    namespace.ip("link", "set", "eth1", "up");
    namespace.ip("route", "add", "default", "dev", "eth0");
    namespace.ip("-6", "route", "add", "default", "dev", "eth0");
    namespace.call(
        () -> {
          ROUTE.ensure();
          return Nftables.run(
              """
              table inet capture {
                chain take {
                  type route hook output priority mangle; policy accept;
                  oif != "lo" meta l4proto udp meta mark & 0xfff != 0x539 meta mark set 0x222
                }
                chain hand_over {
                  type filter hook prerouting priority mangle; policy accept;
                  meta mark & 0xfff == 0x222 meta l4proto udp tproxy to :15009 accept
                  meta mark & 0xfff == 0x222 drop
                }
              }
              """);
        });
  }

  @AfterEach
  void remove() throws Exception {
    if (batch != null) {
      batch.close();
    }
    if (namespace != null) {
      namespace.close();
    }
  }

  private static InetAddress address(boolean ipv6, int last) throws IOException {
    return InetAddress.getByName(ipv6 ? "fd00:9::" + last : "10.9.0." + last);
  }

  private TransparentUdpSocket listener(boolean ipv6) throws Exception {
    return namespace.call(
        () -> {
          var socket = TransparentUdpSocket.open(ipv6, 0x539);
          socket.tellDestinations();
          socket.share();
          socket.bind(
              new InetSocketAddress(InetAddress.getByName(ipv6 ? "::" : "0.0.0.0"), LISTENER));
          return socket;
        });
  }

  /** A socket that speaks for {@code peer} to {@code client}. */
  private TransparentUdpSocket flow(InetSocketAddress peer, InetSocketAddress client)
      throws Exception {
    return namespace.call(
        () -> {
          var socket = TransparentUdpSocket.open(peer.getAddress().getAddress().length > 4, 0x539);
          socket.buffers(1 << 20);
          socket.bind(peer);
          socket.connect(client);
          return socket;
        });
  }

  private int await(TransparentUdpSocket socket, boolean addressed) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE);
    while (System.nanoTime() < end) {
      int count = addressed ? batch.receiveAddressed(socket) : batch.receive(socket);
      if (count != 0) {
        return count;
      }
      Thread.sleep(1);
    }
    throw new AssertionError("nothing came");
  }

  private static void send(DatagramSocket from, byte[] data, InetSocketAddress to)
      throws IOException {
    from.send(new DatagramPacket(data, data.length, to));
  }

  private byte[] bytes(int index) {
    var payload = batch.payload(index);
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSocketThatTalksToManyKeepsThemApart(boolean ipv6) throws Exception {
    try (var listener = listener(ipv6);
        var client = namespace.call(() -> new DatagramSocket(0))) {
      client.setSoTimeout(PATIENCE);
      for (int last = 1; last <= 3; last++) {
        var peer = new InetSocketAddress(address(ipv6, last), 7000);
        send(client, new byte[] {(byte) last}, peer);
        assertThat(await(listener, true)).isOne();
        assertThat(batch.destination(0)).isEqualTo(peer);
        assertThat(bytes(0)).containsExactly(last);
        var from = batch.source(0);
        assertThat(from.getPort()).isEqualTo(client.getLocalPort());

        try (var flow = flow(peer, from)) {
          byte[] question = new byte[ipv6 ? 65_000 : 65_507];
          new Random(last).nextBytes(question);
          send(client, question, peer);
          assertThat(await(flow, false)).isOne();
          assertThat(Arrays.equals(bytes(0), question)).isTrue();
          send(client, new byte[0], peer);
          assertThat(await(flow, false)).isOne();
          assertThat(bytes(0)).isEmpty();

          batch.staging().put((byte) 42);
          batch.addStaged(1);
          assertThat(batch.send(flow)).isOne();
          var answer = new DatagramPacket(new byte[10], 10);
          client.receive(answer);
          assertThat(answer.getSocketAddress()).isEqualTo(peer);
          assertThat(answer.getData()[0]).isEqualTo((byte) 42);
        }
      }
      assertThat(batch.receiveAddressed(listener)).isZero();
    }
  }

  /** In the time between, the kernel knows the socket by its own address alone. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatOthersSendWhileASocketIsMadeIsKnownAsTheirs(boolean ipv6) throws Exception {
    try (var stranger = namespace.call(() -> new DatagramSocket(0));
        var client = namespace.call(() -> new DatagramSocket(0));
        var flow = namespace.call(() -> TransparentUdpSocket.open(ipv6, 0))) {
      var peer = new InetSocketAddress(here(ipv6, client).getAddress(), 7000);
      flow.bind(peer);
      send(stranger, new byte[] {1}, peer);
      send(client, new byte[] {2}, peer);
      send(stranger, new byte[] {3}, peer);
      flow.connect(here(ipv6, client));
      send(client, new byte[] {4}, peer);
      assertThat(await(flow, false)).isEqualTo(4);
      for (int i = 0; i < 4; i++) {
        assertThat(bytes(i)).containsExactly(i + 1);
        assertThat(batch.isFromPeer(i)).isEqualTo(i % 2 == 1);
        assertThat(batch.source(i)).isEqualTo(here(ipv6, i % 2 == 1 ? client : stranger));
      }
      assertThat(flow.local()).isEqualTo(peer);
    }
  }

  /** Where {@code client} hears the pod's own address. */
  private InetSocketAddress here(boolean ipv6, DatagramSocket client) throws IOException {
    return new InetSocketAddress(
        InetAddress.getByName(ipv6 ? "fd00:1::2" : "10.1.0.2"), client.getLocalPort());
  }

  private List<byte[]> addAll(Arena arena, int... lengths) {
    var random = new Random(lengths.length);
    var datagrams = new ArrayList<byte[]>();
    for (int length : lengths) {
      byte[] data = new byte[length];
      random.nextBytes(data);
      datagrams.add(data);
      var memory = arena.allocate(Math.max(1, length));
      MemorySegment.copy(data, 0, memory, ValueLayout.JAVA_BYTE, 0, length);
      batch.add(memory.address(), length);
    }
    return datagrams;
  }

  private static void assertReceived(
      DatagramSocket client, InetSocketAddress from, List<byte[]> datagrams) throws IOException {
    for (byte[] expected : datagrams) {
      var packet = new DatagramPacket(new byte[65_536], 65_536);
      client.receive(packet);
      assertThat(packet.getSocketAddress()).isEqualTo(from);
      assertThat(Arrays.equals(Arrays.copyOf(packet.getData(), packet.getLength()), expected))
          .as("a datagram of " + expected.length + " bytes")
          .isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void runsOfOneLengthArriveAsTheDatagramsTheyAre(boolean ipv6) throws Exception {
    var peer = new InetSocketAddress(address(ipv6, 1), 7000);
    try (var arena = Arena.ofConfined();
        var client = namespace.call(() -> new DatagramSocket(0));
        var flow = flow(peer, here(ipv6, client))) {
      client.setSoTimeout(PATIENCE);
      client.setReceiveBufferSize(1 << 20);
      flow.segment(true);
      for (int[] lengths :
          new int[][] {
            {100, 100, 100, 50, 100, 0, 0, 100, 200, 100},
            {1400, 1400, 1400, 1400},
            {30_000, 30_000, 30_000},
            {1}
          }) {
        var datagrams = addAll(arena, lengths);
        assertThat(batch.send(flow)).isEqualTo(lengths.length);
        assertReceived(client, peer, datagrams);
      }
      assertThat(flow.segments()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whereARunDoesNotFitItIsSentOneByOne(boolean ipv6) throws Exception {
    try (var arena = Arena.ofConfined();
        var flow =
            flow(
                new InetSocketAddress(address(ipv6, 1), 7000),
                new InetSocketAddress(address(ipv6, 2), 7000))) {
      flow.segment(true);
      addAll(arena, 100, 2000, 2000, 2000);
      assertThat(batch.send(flow)).isEqualTo(4);
      assertThat(batch.sendError()).isZero();
      assertThat(flow.segments()).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whereAnApplicationHasThePortDatagramsAreSentInThePeersNameAllTheSame(boolean ipv6)
      throws Exception {
    try (var arena = Arena.ofConfined();
        var client = namespace.call(() -> new DatagramSocket(7000))) {
      client.setSoTimeout(PATIENCE);
      client.setReceiveBufferSize(1 << 20);
      var peer = new InetSocketAddress(address(ipv6, 1), 7000);
      var here = here(ipv6, client);
      assertThatThrownBy(() -> flow(peer, here))
          .isInstanceOfSatisfying(
              LinuxException.class, e -> assertThat(e.isAddressInUse()).isTrue());
      try (var sender = namespace.call(() -> TransparentUdpSocket.sender(peer, here, 0x539))) {
        var datagrams = addAll(arena, 0, 1, 1400, 1400, 9000, ipv6 ? 65_000 : 65_507);
        assertThat(batch.send(sender)).isEqualTo(datagrams.size());
        assertReceived(client, peer, datagrams);
        send(client, new byte[] {1}, here);
        assertReceived(client, here, List.of(new byte[] {1}));
        assertThat(batch.receive(sender)).as("what others get is not its own").isZero();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoAsksAPortWhereNobodyIsLearnsIt(boolean ipv6) throws Exception {
    var peer = new InetSocketAddress(address(ipv6, 1), 7000);
    try (var listener = listener(ipv6);
        var client = namespace.call(() -> new DatagramSocket(0))) {
      client.setSoTimeout(PATIENCE);
      client.connect(peer);
      send(client, new byte[] {1}, peer);
      await(listener, true);
      var from = batch.source(0);
      namespace.call(
          () -> {
            PortUnreachable.send(from, peer, 0x539);
            return null;
          });
      assertThatThrownBy(() -> client.receive(new DatagramPacket(new byte[1], 1)))
          .isInstanceOf(PortUnreachableException.class);
    }
  }
}
