package dev.ambit.ztunnel.proxy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ambit.ztunnel.hbone.HboneSettings;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.ApplicationTunnel;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Connections between pods in network namespaces, redirected as on a node. */
@Timeout(240)
class DataPathIT {
  private static final int PORT = 8080;

  /**
   * A wait ends with its condition, so that only failures take this long; a machine may be busy.
   */
  private static final Duration PATIENCE = Duration.ofSeconds(90);

  private static final Verdict DENIED = new Verdict.Denied("default/no", "the test says no");

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final TestMesh mesh = new TestMesh();
  private EventLoopGroup loops = new MultiThreadIoEventLoopGroup(2, ProxyEpoll.factory());
  private TestNetwork network;
  private TestNetwork.Pod client;
  private TestNetwork.Pod server;
  private TestNetwork.Pod outsider;
  private PodProxies proxies;
  private PodProxy clientProxy;
  private PodProxy serverProxy;
  private MeshWorkload clientWorkload;
  private MeshWorkload serverWorkload;

  @SuppressWarnings("NullAway.Init") // set up before each test
  DataPathIT() {}

  @BeforeEach
  void setUp() throws Exception {
    requireRoot();
    network = new TestNetwork();
    client = network.pod("client").capture();
    server = network.pod("server").capture();
    outsider = network.pod("outsider");
    start(ProxySettings.defaults());
  }

  static void requireRoot() throws IOException {
    boolean root = Files.readString(Path.of("/proc/self/status")).contains("Uid:\t0\t");
    if (System.getenv("CI") == null) {
      Assumptions.assumeTrue(root, "needs root to make network namespaces");
    } else if (!root) {
      throw new IllegalStateException("needs root to make network namespaces");
    }
  }

  private void start(ProxySettings settings) throws Exception {
    proxies =
        new PodProxies(
            loops,
            settings,
            TunnelLimits.defaults(),
            new Mesh(mesh, mesh, mesh, PeerTrust.plain(), mesh),
            null);
    LocalPod clientPod = new LocalPod("1", "client", "default", "client");
    LocalPod serverPod = new LocalPod("2", "server", "default", "server");
    clientWorkload = mesh.add(clientPod, "cluster.local", List.of(client.ipv4, client.ipv6));
    serverWorkload = mesh.add(serverPod, "cluster.local", List.of(server.ipv4, server.ipv6));
    clientProxy = get(proxies.start(clientPod, client.handle()).toCompletableFuture());
    serverProxy = get(proxies.start(serverPod, server.handle()).toCompletableFuture());
  }

  private void restart(ProxySettings settings) throws Exception {
    get(clientProxy.drain(Duration.ZERO).toCompletableFuture());
    get(serverProxy.drain(Duration.ZERO).toCompletableFuture());
    proxies.close();
    start(settings);
  }

  @AfterEach
  void tearDown() throws Exception {
    if (clientProxy != null) {
      get(clientProxy.drain(Duration.ZERO).toCompletableFuture());
      get(serverProxy.drain(Duration.ZERO).toCompletableFuture());
      assertThat(proxies.openConnections()).isZero();
      proxies.close();
    }
    loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    threads.shutdownNow();
    if (network != null) {
      network.close();
    }
  }

  private static <T> T get(Future<T> future) throws Exception {
    return future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
  }

  private static ConditionFactory await() {
    return Awaitility.await().atMost(PATIENCE);
  }

  // -- applications

  private interface Application {
    void serve(SocketChannel connection) throws IOException;
  }

  private ServerSocketChannel serve(TestNetwork.Pod pod, int port, Application application)
      throws IOException {
    ServerSocketChannel listener = pod.listen(port);
    threads.execute(
        () -> {
          while (listener.isOpen()) {
            try {
              SocketChannel accepted = listener.accept();
              threads.execute(
                  () -> {
                    try (accepted) {
                      application.serve(accepted);
                    } catch (IOException e) {
                      // The other end broke; tests look at that one.
                    }
                  });
            } catch (IOException e) {
              return;
            }
          }
        });
    return listener;
  }

  /** Answers the caller's address, then all that it sends. */
  private static void echo(SocketChannel connection) throws IOException {
    InetSocketAddress caller = (InetSocketAddress) connection.getRemoteAddress();
    write(connection, caller.getAddress().getHostAddress() + "\n");
    ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
    while (connection.read(buffer) >= 0) {
      buffer.flip();
      while (buffer.hasRemaining()) {
        connection.write(buffer);
      }
      buffer.clear();
    }
  }

  private static void write(SocketChannel channel, String text) throws IOException {
    write(channel, text.getBytes(StandardCharsets.UTF_8));
  }

  private static void write(SocketChannel channel, byte[] bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  private static String readLine(SocketChannel channel) throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    ByteBuffer one = ByteBuffer.allocate(1);
    while (true) {
      if (channel.read(one) < 0) {
        throw new EOFException("after '" + line + "'");
      }
      one.flip();
      byte b = one.get();
      one.clear();
      if (b == '\n') {
        return line.toString(StandardCharsets.UTF_8);
      }
      line.write(b);
    }
  }

  private static long readAll(SocketChannel channel) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18);
    long total = 0;
    int count;
    while ((count = channel.read(buffer)) >= 0) {
      total += count;
      buffer.clear();
    }
    return total;
  }

  private static String readText(SocketChannel channel) throws IOException {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
    while (channel.read(buffer) >= 0) {
      text.write(buffer.array(), 0, buffer.position());
      buffer.clear();
    }
    return text.toString(StandardCharsets.UTF_8);
  }

  private static void assertReset(SocketChannel channel) {
    assertThatThrownBy(() -> readAll(channel))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("reset");
  }

  private TestMesh.Report report(Reporter reporter) {
    await().until(() -> !mesh.reports(reporter).isEmpty());
    return mesh.reports(reporter).getFirst();
  }

  // -- what a user sees

  @Test
  void goesThroughTheTunnelFromTheCallersAddress() throws Exception {
    for (InetAddress address : List.of(server.ipv4, server.ipv6)) {
      mesh.reports.clear();
      InetAddress source = address == server.ipv4 ? client.ipv4 : client.ipv6;
      // Not one port for both: the first listener may take a while to let go of it.
      int port = address == server.ipv4 ? PORT : PORT + 1;
      try (ServerSocketChannel listener = serve(server, port, DataPathIT::echo);
          SocketChannel connection = client.connect(address, port)) {
        assertThat(InetAddress.getByName(readLine(connection))).isEqualTo(source);
        write(connection, "hello\n");
        assertThat(readLine(connection)).isEqualTo("hello");
        assertThat(mesh.open).hasSize(2);
        assertThat(clientProxy.openConnections()).isOne();
        connection.shutdownOutput();
        assertThat(readAll(connection)).isZero();
      }

      TestMesh.Report outbound = report(Reporter.SOURCE);
      assertThat(outbound.established()).isTrue();
      assertThat(outbound.error()).isNull();
      assertThat(outbound.sent()).isEqualTo(6);
      assertThat(outbound.info().sourceIdentity()).isEqualTo(clientWorkload.identity());
      assertThat(outbound.info().destinationIdentity()).isEqualTo(serverWorkload.identity());
      assertThat(outbound.info().hboneAuthority())
          .isEqualTo(Addresses.text(new InetSocketAddress(address, port)));
      assertThat(outbound.info().source().getAddress()).isEqualTo(source);

      TestMesh.Report inbound = report(Reporter.DESTINATION);
      assertThat(inbound.error()).isNull();
      assertThat(inbound.sent()).isEqualTo(6);
      assertThat(inbound.received()).isEqualTo(outbound.received()).isGreaterThan(6);
      assertThat(inbound.info().sourceIdentity()).isEqualTo(clientWorkload.identity());
      assertThat(inbound.info().sourceWorkload()).isEqualTo(clientWorkload);
      assertThat(inbound.info().destination()).isEqualTo(new InetSocketAddress(address, port));
      assertThat(mesh.reports).hasSize(2);
      assertThat(mesh.open).isEmpty();
    }
  }

  @Test
  void eachDirectionEndsOnItsOwn() throws Exception {
    int size = 5_000_000;
    try (ServerSocketChannel listener =
            serve(
                server,
                PORT,
                connection -> {
                  long asked = readAll(connection); // answers only after the end of the question
                  write(connection, new byte[size]);
                  write(connection, asked + "\n");
                });
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      write(connection, new byte[size]);
      connection.shutdownOutput();
      String text = readText(connection);
      assertThat(text).hasSize(size + 8).endsWith(size + "\n");
    }

    CompletableFuture<Long> heard = new CompletableFuture<>();
    try (ServerSocketChannel listener =
            serve(
                server,
                PORT + 1,
                connection -> {
                  write(connection, "bye\n");
                  connection.shutdownOutput(); // and goes on listening
                  heard.complete(readAll(connection));
                });
        SocketChannel connection = client.connect(server.ipv4, PORT + 1)) {
      assertThat(readText(connection)).isEqualTo("bye\n");
      write(connection, new byte[size]);
      connection.shutdownOutput();
      assertThat(get(heard)).isEqualTo((long) size);
    }
    await().until(() -> mesh.reports.size() == 4);
    assertThat(mesh.reports).extracting(TestMesh.Report::error).containsOnlyNulls();
  }

  @Test
  void bytesSentAndEndedBeforeTheTunnelStandsArrive() throws Exception {
    CompletableFuture<dev.ambit.ztunnel.certificate.TlsIdentity> late = new CompletableFuture<>();
    Identity identity = clientWorkload.identity();
    var certificate = get(mesh.get(identity).toCompletableFuture());
    mesh.withhold(identity, late);
    try (ServerSocketChannel listener =
            serve(server, PORT, connection -> write(connection, readAll(connection) + "\n"));
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      write(connection, new byte[100_000]);
      connection.shutdownOutput();
      await().until(() -> clientProxy.openConnections() == 1);
      late.complete(certificate);
      assertThat(readText(connection)).isEqualTo("100000\n");
    }
  }

  @Test
  void fortyTransfersAtOnce() throws Exception {
    int size = 10_000_000;
    try (ServerSocketChannel listener =
        serve(
            server,
            PORT,
            connection -> {
              readLine(connection);
              write(connection, new byte[size]);
            })) {
      List<Future<Long>> transfers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        transfers.add(
            threads.submit(
                () -> {
                  try (SocketChannel connection = client.connect(server.ipv4, PORT)) {
                    write(connection, "go\n");
                    return readAll(connection);
                  }
                }));
      }
      for (Future<Long> transfer : transfers) {
        assertThat(get(transfer)).isEqualTo((long) size);
      }
    }
    await().until(() -> mesh.reports.size() == 80);
    assertThat(mesh.reports).extracting(TestMesh.Report::error).containsOnlyNulls();
  }

  @Test
  void fortyUploadsAtOnceArriveUnchanged() throws Exception {
    int size = 3_000_000;
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo)) {
      List<Future<Boolean>> transfers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        byte[] sent = new byte[size];
        new java.util.Random(i).nextBytes(sent);
        transfers.add(
            threads.submit(
                () -> {
                  try (SocketChannel connection = client.connect(server.ipv4, PORT)) {
                    readLine(connection);
                    threads.submit(
                        () -> {
                          write(connection, sent);
                          connection.shutdownOutput();
                          return null;
                        });
                    ByteBuffer got = ByteBuffer.allocate(size + 1);
                    while (connection.read(got) >= 0) {
                      // until the end
                    }
                    return Arrays.equals(sent, Arrays.copyOf(got.array(), got.position()));
                  }
                }));
      }
      for (Future<Boolean> transfer : transfers) {
        assertThat(get(transfer)).isTrue();
      }
    }
  }

  @Test
  void stalledReadersStopNobodyElse() throws Exception {
    try (ServerSocketChannel endless =
            serve(
                server,
                PORT,
                connection -> {
                  while (connection.isOpen()) {
                    write(connection, new byte[1 << 16]);
                  }
                });
        ServerSocketChannel live = serve(server, PORT + 1, DataPathIT::echo)) {
      List<SocketChannel> stalled = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        stalled.add(client.connect(server.ipv4, PORT)); // and never reads
      }
      await().until(() -> mesh.open.size() == 16);
      try (SocketChannel connection = client.connect(server.ipv4, PORT + 1)) {
        readLine(connection);
        for (int i = 0; i < 200; i++) {
          write(connection, "ping\n");
          assertThat(readLine(connection)).isEqualTo("ping");
        }
      }
      for (SocketChannel channel : stalled) {
        channel.close();
      }
    }
    await().until(() -> mesh.open.isEmpty());
  }

  @Test
  void moreConnectionsThanATunnelTakes() throws Exception {
    restart(
        ProxySettings.defaults()
            .withTunnels(
                100, Duration.ofMinutes(5), HboneSettings.client(), HboneSettings.server()));
    openAtOnce(230);
    assertThat(tunnels()).isBetween(3L, 8L);
  }

  @Test
  void fewerStreamsThanAskedFor() throws Exception {
    HboneSettings usual = HboneSettings.server();
    HboneSettings few =
        new HboneSettings(
            usual.streamWindow(),
            usual.connectionWindow(),
            usual.maxFrameSize(),
            3,
            usual.maxHeaderListSize(),
            usual.extendedConnect(),
            usual.keepAliveInterval(),
            usual.keepAliveTimeout(),
            usual.settingsTimeout(),
            usual.lingerTimeout());
    restart(
        ProxySettings.defaults()
            .withTunnels(100, Duration.ofMinutes(5), HboneSettings.client(), few));
    openAtOnce(20);
    assertThat(mesh.reports.stream().filter(report -> !report.established())).isEmpty();
  }

  @Test
  void idleTunnelsAreReleased() throws Exception {
    restart(
        ProxySettings.defaults()
            .withTunnels(
                100, Duration.ofMillis(300), HboneSettings.client(), HboneSettings.server()));
    openAtOnce(5);
    await().until(() -> tunnels() == 0);
  }

  private void openAtOnce(int count) throws Exception {
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo)) {
      List<Future<SocketChannel>> opening = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        opening.add(
            threads.submit(
                () -> {
                  SocketChannel connection = client.connect(server.ipv4, PORT);
                  readLine(connection);
                  return connection;
                }));
      }
      for (Future<SocketChannel> connection : opening) {
        get(connection);
      }
      assertThat(clientProxy.openConnections()).isEqualTo(count);
      for (Future<SocketChannel> connection : opening) {
        get(connection).close();
      }
      await().until(() -> clientProxy.openConnections() == 0);
    }
  }

  /** How many tunnels stand at the server pod. */
  private long tunnels() {
    return server.in("ss", "-Htn", "state", "established", "sport", "=", ":15008").lines().count();
  }

  @Test
  void denialResetsTheCaller() throws Exception {
    mesh.policy = input -> DENIED;
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      assertReset(connection);
    }
    assertThat(report(Reporter.DESTINATION).flag()).isEqualTo(ResponseFlag.DENIED);
    assertThat(report(Reporter.DESTINATION).error()).contains("default/no");
    assertThat(report(Reporter.SOURCE).error()).contains("401");
    assertThat(mesh.reports).extracting(TestMesh.Report::established).containsOnly(false);
  }

  @Test
  void policiesSeeTheProvenIdentity() throws Exception {
    mesh.policy =
        input ->
            clientWorkload.identity().equals(input.source())
                    && input.sourceIp().equals(client.ipv4)
                    && input.destinationAddress().equals(new InetSocketAddress(server.ipv4, PORT))
                ? Verdict.ALLOWED
                : DENIED;
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT);
        SocketChannel plain = outsider.connect(server.ipv4, PORT)) {
      readLine(connection);
      assertReset(plain);
    }
  }

  @Test
  void aPolicyThatComesLaterEndsOpenConnections() throws Exception {
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel tunnelled = client.connect(server.ipv4, PORT);
        SocketChannel plain = outsider.connect(server.ipv4, PORT)) {
      readLine(tunnelled);
      readLine(plain);
      mesh.policyChanged(input -> input.source() == null ? DENIED : Verdict.ALLOWED);
      assertReset(plain);
      write(tunnelled, "still there\n");
      assertThat(readLine(tunnelled)).isEqualTo("still there");
      mesh.policyChanged(input -> DENIED);
      assertReset(tunnelled);
    }
    await().until(() -> mesh.reports(Reporter.DESTINATION).size() == 2);
    assertThat(mesh.open).isEmpty();
    assertThat(mesh.reports(Reporter.DESTINATION))
        .extracting(TestMesh.Report::flag)
        .containsExactly(ResponseFlag.DENIED, ResponseFlag.DENIED);
  }

  @Test
  void plainDestinationsAreReachedDirectly() throws Exception {
    try (ServerSocketChannel listener = serve(outsider, PORT, DataPathIT::echo)) {
      for (InetAddress address : List.of(outsider.ipv4, outsider.ipv6)) {
        try (SocketChannel connection = client.connect(address, PORT)) {
          assertThat(InetAddress.getByName(readLine(connection)))
              .isEqualTo(address == outsider.ipv4 ? client.ipv4 : client.ipv6);
          write(connection, "x\n");
          assertThat(readLine(connection)).isEqualTo("x");
        }
      }
    }
    await().until(() -> mesh.reports(Reporter.SOURCE).size() == 2);
    assertThat(mesh.reports).extracting(report -> report.info().mutualTls()).containsOnly(false);
  }

  @Test
  void plainCallersAreLetThroughWithTheirAddress() throws Exception {
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo)) {
      for (InetAddress address : List.of(server.ipv4, server.ipv6)) {
        try (SocketChannel connection = outsider.connect(address, PORT)) {
          assertThat(InetAddress.getByName(readLine(connection)))
              .isEqualTo(address == server.ipv4 ? outsider.ipv4 : outsider.ipv6);
          write(connection, "x\n");
          assertThat(readLine(connection)).isEqualTo("x");
          connection.shutdownOutput();
          assertThat(readAll(connection)).isZero();
        }
      }
    }
    await().until(() -> mesh.reports(Reporter.DESTINATION).size() == 2);
    assertThat(mesh.reports).extracting(TestMesh.Report::error).containsOnlyNulls();
  }

  @Test
  void refusalReachesTheCaller() throws Exception {
    try (SocketChannel tunnelled = client.connect(server.ipv4, PORT)) {
      assertReset(tunnelled);
    }
    try (SocketChannel plain = client.connect(outsider.ipv4, PORT)) {
      assertReset(plain);
    }
    await().until(() -> mesh.reports.size() == 3);
    assertThat(mesh.reports)
        .extracting(TestMesh.Report::flag)
        .containsOnly(ResponseFlag.CONNECT_FAILED);
  }

  @Test
  void resetsPassInBothDirections() throws Exception {
    CompletableFuture<IOException> atServer = new CompletableFuture<>();
    try (ServerSocketChannel listener =
        serve(
            server,
            PORT,
            connection -> {
              if (readLine(connection).equals("reset me")) {
                connection.setOption(java.net.StandardSocketOptions.SO_LINGER, 0);
                return; // closes
              }
              write(connection, "go on\n");
              try {
                readAll(connection);
              } catch (IOException e) {
                atServer.complete(e);
              }
            })) {
      try (SocketChannel connection = client.connect(server.ipv4, PORT)) {
        write(connection, "reset me\n");
        assertReset(connection);
      }
      SocketChannel connection = client.connect(server.ipv4, PORT);
      write(connection, "listen\n");
      readLine(connection);
      connection.setOption(java.net.StandardSocketOptions.SO_LINGER, 0);
      connection.close();
      assertThat(get(atServer)).hasMessageContaining("reset");
    }
    await().until(() -> mesh.reports.size() == 4);
    assertThat(mesh.open).isEmpty();
    // An application may end like this: nothing is wrong with the mesh.
    assertThat(mesh.reports).extracting(TestMesh.Report::error).containsOnlyNulls();
  }

  @Test
  void somebodyElseAtTheDestinationIsNotTalkedTo() throws Exception {
    AtomicLong served = new AtomicLong();
    mesh.routes =
        destination ->
            new OutboundRoute.Tunnel(
                new InetSocketAddress(destination.getAddress(), ProxySettings.INBOUND_PORT),
                Addresses.text(destination),
                List.of(new Identity("cluster.local", "default", "another")),
                Endpoint.UNKNOWN);
    try (ServerSocketChannel listener =
            serve(server, PORT, connection -> served.incrementAndGet());
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      assertReset(connection);
    }
    assertThat(report(Reporter.SOURCE).flag()).isEqualTo(ResponseFlag.IDENTITY_ERROR);
    assertThat(mesh.handshakeFailures).contains("SOURCE IDENTITY_MISMATCH");
    assertThat(served).hasValue(0);
  }

  private OutboundRoute.Tunnel toServer(InetSocketAddress destination, boolean waypoint) {
    return new OutboundRoute.Tunnel(
        new InetSocketAddress(server.ipv4, ProxySettings.INBOUND_PORT),
        Addresses.text(destination),
        List.of(serverWorkload.identity()),
        new Endpoint(serverWorkload, null),
        "",
        waypoint);
  }

  @Test
  void aWaypointThatDoesNotKnowTheDestinationYetIsAskedAgain() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    mesh.routes = destination -> toServer(destination, true);
    mesh.refusals = authority -> asked.incrementAndGet() <= 5 ? 404 : 0;
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      // What the application has sent meanwhile is not lost.
      write(connection, "early\n");
      readLine(connection);
      assertThat(readLine(connection)).isEqualTo("early");
    }
    assertThat(asked).hasValue(6);
    await().until(() -> mesh.reports(Reporter.SOURCE).size() == 1);
    assertThat(report(Reporter.SOURCE).info().attempts()).isEqualTo(6);
    assertThat(report(Reporter.SOURCE).error()).isNull();
  }

  @Test
  void aWaypointThatCannotBeReachedYetIsAskedAgain() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    mesh.routes =
        destination ->
            asked.incrementAndGet() <= 3
                ? new OutboundRoute.Tunnel(
                    // Nothing is redirected there, so nobody listens.
                    new InetSocketAddress(outsider.ipv4, ProxySettings.INBOUND_PORT),
                    Addresses.text(destination),
                    List.of(serverWorkload.identity()),
                    new Endpoint(serverWorkload, null),
                    "",
                    true)
                : toServer(destination, true);
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      readLine(connection);
    }
    assertThat(asked).hasValue(4);
  }

  @Test
  void whatNoLongerGoesThroughAWaypointThatForgotItGoesPastIt() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    mesh.routes =
        destination ->
            asked.incrementAndGet() == 1
                ? toServer(destination, true)
                : new OutboundRoute.Plain(
                    new InetSocketAddress(outsider.ipv4, PORT), Endpoint.UNKNOWN);
    mesh.refusals = authority -> 404;
    try (ServerSocketChannel listener = serve(outsider, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      readLine(connection);
    }
    assertThat(asked).hasValue(2);
  }

  private static MeshService web() {
    return MeshService.of(
        dev.ambit.protocol.workload.Service.newBuilder()
            .setName("web")
            .setNamespace("default")
            .setHostname("web.default.svc.cluster.local")
            .build());
  }

  @Test
  void aPodThatIsToBeReachedThroughAWaypointIsAskedAgainUntilTheWayIsKnown() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    mesh.policy =
        input ->
            asked.incrementAndGet() <= 3
                ? new Verdict.Denied("default/ambit_require_waypoint_0123", "a rule of it matches")
                : Verdict.ALLOWED;
    OutboundRoute.Tunnel direct = toServer(new InetSocketAddress(server.ipv4, PORT), false);
    // What was addressed to the pod has no other way, so that is final.
    mesh.routes = _ -> direct;
    try (SocketChannel connection = client.connect(server.ipv4, PORT)) {
      assertReset(connection);
    }
    assertThat(asked).hasValue(1);
    assertThat(report(Reporter.SOURCE).flag()).isEqualTo(ResponseFlag.DENIED);

    mesh.routes =
        _ ->
            new OutboundRoute.Tunnel(
                direct.nextHop(),
                direct.authority(),
                direct.expected(),
                new Endpoint(serverWorkload, web()));
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      readLine(connection);
    }
    assertThat(asked).hasValue(4);
  }

  @Test
  void aRefusalThatWillNotPassIsFinal() throws Exception {
    record Refusal(boolean waypoint, int status) {}
    AtomicInteger asked = new AtomicInteger();
    for (Refusal refusal :
        List.of(
            new Refusal(false, 404),
            new Refusal(false, 503),
            new Refusal(true, 401),
            new Refusal(true, 403),
            new Refusal(true, 400))) {
      asked.set(0);
      mesh.reports.clear();
      mesh.routes = destination -> toServer(destination, refusal.waypoint());
      mesh.refusals =
          authority -> {
            asked.incrementAndGet();
            return refusal.status();
          };
      try (SocketChannel connection = client.connect(server.ipv4, PORT)) {
        assertReset(connection);
      }
      assertThat(asked).as(refusal.toString()).hasValue(1);
      await().until(() -> mesh.reports(Reporter.SOURCE).size() == 1);
    }
  }

  @Test
  void anotherTrustDomainIsRefused() throws Exception {
    get(clientProxy.drain(Duration.ZERO).toCompletableFuture());
    LocalPod stranger = new LocalPod("3", "client", "default", "client");
    mesh.add(stranger, "elsewhere.org", List.of(client.ipv4));
    clientProxy = get(proxies.start(stranger, client.handle()).toCompletableFuture());
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      assertReset(connection);
    }
    assertThat(report(Reporter.DESTINATION).flag()).isEqualTo(ResponseFlag.IDENTITY_ERROR);
    assertThat(report(Reporter.SOURCE).established()).isFalse();
    assertThat(mesh.handshakeFailures).contains("DESTINATION TRUST_DOMAIN");
  }

  @Test
  void withoutACertificateNothingIsSent() throws Exception {
    mesh.withhold(
        clientWorkload.identity(),
        CompletableFuture.failedFuture(new IllegalStateException("the authority is down")));
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      assertReset(connection);
    }
    assertThat(report(Reporter.SOURCE).error()).contains("the authority is down");
    assertThat(mesh.handshakeFailures).containsExactly("SOURCE OWN_CERTIFICATE");
    assertThat(tunnels()).isZero();
  }

  @Test
  void itsOwnPortsAreNotReached() throws Exception {
    for (int port : new int[] {15001, 15006}) {
      try (SocketChannel inside = client.connect(client.ipv4, port)) {
        assertReset(inside);
      }
      try (SocketChannel outside = outsider.connect(server.ipv4, port)) {
        assertReset(outside);
      }
      try (SocketChannel tunnelled = client.connect(server.ipv4, port)) {
        assertReset(tunnelled);
      }
    }
    await().until(() -> clientProxy.openConnections() + serverProxy.openConnections() == 0);
  }

  @Test
  void plainTextAtTheTunnelPortIsReported() throws Exception {
    try (SocketChannel connection = outsider.connect(server.ipv4, ProxySettings.INBOUND_PORT)) {
      write(connection, "GET / HTTP/1.1\r\n\r\n");
      readText(connection);
    } catch (IOException e) {
      assertThat(e).hasMessageContaining("reset");
    }
    assertThat(report(Reporter.DESTINATION).flag()).isEqualTo(ResponseFlag.TLS_FAILURE);
    assertThat(mesh.reports).hasSize(1);
    assertThat(mesh.handshakeFailures).containsExactly("DESTINATION PLAINTEXT");
  }

  @Test
  void drainingLetsOpenConnectionsFinish() throws Exception {
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel tunnelled = client.connect(server.ipv4, PORT);
        SocketChannel plain = outsider.connect(server.ipv4, PORT)) {
      readLine(tunnelled);
      readLine(plain);
      CompletableFuture<Void> serverDrained =
          serverProxy.drain(Duration.ofMinutes(3)).toCompletableFuture();
      CompletableFuture<Void> clientDrained =
          clientProxy.drain(Duration.ofMinutes(3)).toCompletableFuture();
      await().until(() -> server.in("ss", "-Hltn", "sport", "=", ":15008").isBlank());
      for (SocketChannel connection : List.of(tunnelled, plain)) {
        write(connection, "still\n");
        assertThat(readLine(connection)).isEqualTo("still");
      }
      assertThat(serverDrained).isNotDone();
      for (SocketChannel connection : List.of(tunnelled, plain)) {
        connection.shutdownOutput();
        assertThat(readAll(connection)).isZero();
      }
      get(serverDrained);
      get(clientDrained);
    }
    assertThat(mesh.reports).extracting(TestMesh.Report::error).containsOnlyNulls();
    assertThat(mesh.reports).hasSize(3);
  }

  @Test
  void drainingEndsAtItsDeadline() throws Exception {
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel tunnelled = client.connect(server.ipv4, PORT)) {
      readLine(tunnelled);
      get(serverProxy.drain(Duration.ofMillis(300)).toCompletableFuture());
      assertReset(tunnelled);
    }
    await().until(() -> mesh.reports.size() == 2);
  }

  @Test
  void aPodReachesItselfThroughAService() throws Exception {
    InetAddress service = InetAddress.getByName("10.96.0.1");
    mesh.routes =
        destination ->
            new OutboundRoute.Tunnel(
                new InetSocketAddress(server.ipv4, ProxySettings.INBOUND_PORT),
                Addresses.text(new InetSocketAddress(server.ipv4, PORT)),
                List.of(serverWorkload.identity()),
                new Endpoint(serverWorkload, null));
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = server.connect(service, 80)) {
      assertThat(InetAddress.getByName(readLine(connection))).isEqualTo(server.ipv4);
      write(connection, "myself\n");
      assertThat(readLine(connection)).isEqualTo("myself");
    }
  }

  @Test
  void anApplicationMayBeToldOfTheCaller() throws Exception {
    LocalPod pod = new LocalPod("2", "server", "default", "server");
    mesh.add(
        pod, "cluster.local", List.of(server.ipv4, server.ipv6), new ApplicationTunnel(true, 0));
    CompletableFuture<byte[]> heard = new CompletableFuture<>();
    try (ServerSocketChannel listener =
            serve(
                server,
                PORT,
                connection -> {
                  ByteBuffer header = ByteBuffer.allocate(16);
                  while (header.hasRemaining() && connection.read(header) >= 0) {
                    // until it is whole
                  }
                  ByteBuffer rest = ByteBuffer.allocate(header.getShort(14));
                  while (rest.hasRemaining() && connection.read(rest) >= 0) {
                    // until it is whole
                  }
                  heard.complete(rest.array());
                  write(connection, readLine(connection) + "\n");
                });
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      write(connection, "hello\n");
      assertThat(readLine(connection)).isEqualTo("hello");
    }
    byte[] told = get(heard);
    assertThat(Arrays.copyOf(told, 4)).isEqualTo(client.ipv4.getAddress());
    assertThat(Arrays.copyOfRange(told, 4, 8)).isEqualTo(server.ipv4.getAddress());
    assertThat(new String(told, 15, told.length - 15, StandardCharsets.US_ASCII))
        .isEqualTo(clientWorkload.identity().uri());
  }

  @Test
  void twoProxiesOfOnePodOverlap() throws Exception {
    LocalPod again = new LocalPod("2", "server", "default", "server");
    PodProxy second = get(proxies.start(again, server.handle()).toCompletableFuture());
    get(serverProxy.drain(Duration.ofSeconds(5)).toCompletableFuture());
    serverProxy = second;
    try (ServerSocketChannel listener = serve(server, PORT, DataPathIT::echo);
        SocketChannel connection = client.connect(server.ipv4, PORT)) {
      readLine(connection);
    }
  }
}
