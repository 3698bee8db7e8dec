package dev.ambit.ztunnel.netns;

import static dev.ambit.ztunnel.testing.MeshFixtures.port;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.waypoint;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.NamespacedHostname;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.WeightedWaypoint;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/** Connections to what names a waypoint: to it, and never around it. */
@Timeout(300)
@ParameterizedClass(name = "{0}")
@MethodSource("dev.ambit.ztunnel.netns.ZtunnelPair#all")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WaypointIT {
  private static final int PORT = 8080;
  private static final int PROXY_PORT = 15088;
  private static final String GREETING = "waypoint ";

  private final Deque<AutoCloseable> servers = new ArrayDeque<>();
  private int lastAddress;

  @Parameter ZtunnelPair pair;

  private Mesh mesh;
  private Pod client;

  @SuppressWarnings("NullAway.Init") // set up before all tests
  WaypointIT() {}

  @BeforeParameterizedClassInvocation
  void start() {
    mesh = pair.start(Map.of());
    client = mesh.captured(mesh.a(), "client");
  }

  @AfterParameterizedClassInvocation
  void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  @AfterEach
  void stopServers() {
    Closing.all(servers);
    servers.clear();
  }

  private <T extends AutoCloseable> T keep(T server) {
    servers.push(server);
    return server;
  }

  /** A waypoint outside the mesh's capture, as an Envoy is: it ends HBONE itself. */
  private HboneServer waypointIn(Pod pod) throws IOException {
    return keep(HboneServer.start(pod, mesh.authority(), GREETING));
  }

  private Service.Builder web(String name) {
    return service("shop", name, "10.97.0." + ++lastAddress, "fd00:97::" + lastAddress);
  }

  private Service.Builder gatewayService(String name) {
    return web(name).clearPorts().addPorts(port(15008, 15008));
  }

  private static InetSocketAddress at(Service.Builder service, int address, int port) {
    try {
      return new InetSocketAddress(
          InetAddress.getByAddress(service.getAddresses(address).getAddress().toByteArray()), port);
    } catch (java.net.UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  private static InetSocketAddress at(Service.Builder service) {
    return at(service, 0, 80);
  }

  private static GatewayAddress byAddress(ByteString address) {
    return GatewayAddress.newBuilder()
        .setAddress(NetworkAddress.newBuilder().setAddress(address))
        .setHboneMtlsPort(15008)
        .build();
  }

  private static GatewayAddress byAddress(Pod pod) {
    return byAddress(ByteString.copyFrom(pod.ipv4().getAddress()));
  }

  /** Sends through to the waypoint, and checks what it was asked. */
  private void goesThrough(HboneServer waypoint, InetSocketAddress destination) throws IOException {
    goesThrough(waypoint, destination, Addresses.text(destination));
  }

  private void goesThrough(HboneServer waypoint, InetSocketAddress destination, String authority)
      throws IOException {
    int before = waypoint.requests().size();
    try (var connection = TcpClient.connect(client, destination)) {
      connection.send("hello");
      assertThat(connection.receive(GREETING.length() + 5)).isEqualTo(GREETING + "hello");
    }
    assertThat(waypoint.requests()).hasSize(before + 1);
    var request = waypoint.requests().getLast();
    assertThat(request.authority()).isEqualTo(authority);
    assertThat(request.caller()).isEqualTo(client.identity());
  }

  private static final class Addresses {
    static String text(InetSocketAddress address) {
      var host = address.getAddress();
      return (host.getAddress().length == 4
              ? host.getHostAddress()
              : "[" + io.netty.util.NetUtil.toAddressString(host) + "]")
          + ":"
          + address.getPort();
    }
  }

  // -- who is asked

  @Test
  void aServicesWaypointByAddressTakesItsConnections() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp-address");
    var waypoint = waypointIn(pod);
    var web = web("by-address").setWaypoint(byAddress(pod));
    mesh.controlPlane().announce(web);
    int mark = mesh.a().ztunnel().logSize();
    goesThrough(waypoint, at(web));
    goesThrough(waypoint, at(web, 1, 80));
    assertThat(waypoint.requests().getFirst().headers().get("forwarded"))
        .startsWith("for=\"" + client.ipv4().getHostAddress())
        .endsWith(";host=" + web.getHostname());
    var line =
        mesh.a()
            .ztunnel()
            .awaitLog(
                "the connection",
                mark,
                logged -> logged.isConnectionComplete() && logged.has("direction", "outbound"));
    assertThat(line.fields())
        .containsEntry("dst.workload", pod.name())
        .containsEntry("dst.service", web.getHostname())
        .containsEntry("dst.addr", pod.ipv4().getHostAddress() + ":15008")
        .containsEntry("dst.identity", pod.identity());
  }

  @Test
  void aServicesWaypointByServiceNameIsChosenAmongItsEndpoints() throws IOException {
    pair.needsAmbitAtTheCallers("an endpoint that takes no tunnel is passed over");
    var gateway = gatewayService("gateway");
    var pod = mesh.uncaptured(mesh.b(), "wp-service");
    var waypoint = waypointIn(pod);
    var web = web("by-service").setWaypoint(waypoint("shop", "gateway"));
    mesh.controlPlane().announce(web);
    // Named, but not there: nothing goes around it.
    Calls.refused(client, at(web));
    mesh.controlPlane().announce(gateway);
    Calls.refused(client, at(web));
    // One of its endpoints does not answer: another does.
    var deaf = mesh.uncaptured(mesh.b(), "wp-deaf");
    mesh.controlPlane()
        .announce(
            WorkloadResource.plain(pod).behind(gateway, 15008, 15008),
            WorkloadResource.plain(deaf).behind(gateway, 15008, 15008));
    for (int i = 0; i < 10; i++) {
      goesThrough(waypoint, at(web));
    }
    mesh.controlPlane().withdraw(pod);
    Calls.refused(client, at(web));
  }

  @Test
  void aWaypointServiceMayMapItsPort() throws IOException {
    var gateway = gatewayService("mapped");
    var pod = mesh.uncaptured(mesh.b(), "wp-mapped");
    var waypoint = keep(HboneServer.start(pod, mesh.authority(), 16008, GREETING, asked -> 200));
    var web = web("by-mapped").setWaypoint(waypoint("shop", "mapped"));
    mesh.controlPlane().announce(gateway);
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(WorkloadResource.plain(pod).behind(gateway, 15008, 16008));
    goesThrough(waypoint, at(web));
  }

  @Test
  void aServicesWaypointMayBeAWorkloadByItsHostname() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp-workload");
    var waypoint = waypointIn(pod);
    mesh.controlPlane()
        .announce(WorkloadResource.plain(pod).with(w -> w.setHostname("waypoint.example.com")));
    var web =
        web("by-workload")
            .setWaypoint(
                GatewayAddress.newBuilder()
                    .setHostname(
                        NamespacedHostname.newBuilder()
                            .setNamespace("shop")
                            .setHostname("waypoint.example.com"))
                    .setHboneMtlsPort(15008));
    mesh.controlPlane().announce(web);
    goesThrough(waypoint, at(web));
  }

  @Test
  void aWorkloadsWaypointTakesWhatGoesToItsAddress() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp-of-workload");
    var waypoint = waypointIn(pod);
    var server = mesh.captured(mesh.b(), "guarded");
    var web = web("guarded-service");
    mesh.controlPlane().announce(web);
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(server)
                .behind(web, 80, PORT)
                .with(w -> w.setWaypoint(byAddress(pod))));
    keep(TcpServer.echo(server, PORT));
    goesThrough(waypoint, server.at(PORT));
    goesThrough(waypoint, server.at6(PORT));
    // Asked for by its service it is reached straight: the service names no waypoint.
    int before = waypoint.requests().size();
    Calls.answered(client, at(web));
    assertThat(waypoint.requests()).hasSize(before);
    mesh.controlPlane()
        .announce(
            WorkloadResource.captured(server)
                .with(w -> w.setWaypoint(waypoint("shop", "not-there"))));
    Calls.refused(client, server.at(PORT));
  }

  @Test
  void weightedWaypointsShareTheConnections() throws IOException {
    var first = mesh.uncaptured(mesh.b(), "wp-first");
    var second = mesh.uncaptured(mesh.b(), "wp-second");
    var one = waypointIn(first);
    var two = waypointIn(second);
    var web =
        web("weighted")
            .setWaypoint(byAddress(first))
            .addWeightedWaypoints(
                WeightedWaypoint.newBuilder().setDestination(byAddress(first)).setWeight(1))
            .addWeightedWaypoints(
                WeightedWaypoint.newBuilder().setDestination(byAddress(second)).setWeight(1));
    mesh.controlPlane().announce(web);
    for (int i = 0; i < 200 && (one.requests().isEmpty() || two.requests().isEmpty()); i++) {
      Calls.answeredWith(client, at(web), GREETING);
    }
    assertThat(one.requests()).isNotEmpty();
    assertThat(two.requests()).isNotEmpty();
    // Weights of nothing leave the single one.
    int before = two.requests().size();
    mesh.controlPlane()
        .announce(
            web.clearWeightedWaypoints()
                .addWeightedWaypoints(
                    WeightedWaypoint.newBuilder().setDestination(byAddress(second)).setWeight(0)));
    goesThrough(one, at(web));
    assertThat(two.requests()).hasSize(before);
  }

  @Test
  void aWaypointThatIsSomebodyElseIsNotTalkedTo() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp-false");
    var waypoint = waypointIn(pod);
    mesh.controlPlane()
        .announce(WorkloadResource.plain(pod).withServiceAccount("the-real-waypoint"));
    var web = web("false").setWaypoint(byAddress(pod));
    mesh.controlPlane().announce(web);
    Calls.refused(client, at(web));
    assertThat(waypoint.requests()).isEmpty();
    // Unless the waypoint's service says that it may be.
    var gateway = gatewayService("alias").addSubjectAltNames(pod.identity());
    mesh.controlPlane().announce(gateway);
    mesh.controlPlane()
        .announce(
            WorkloadResource.plain(pod)
                .withServiceAccount("the-real-waypoint")
                .behind(gateway, 15008, 15008));
    mesh.controlPlane().announce(web.setWaypoint(waypoint("shop", "alias")));
    goesThrough(waypoint, at(web));
  }

  @Test
  void whatAWaypointRefusesIsRefused() throws IOException {
    pair.needsAmbitAtTheCallers("the refusal is read in its log");
    var pod = mesh.uncaptured(mesh.b(), "wp-refusing");
    keep(HboneServer.start(pod, mesh.authority(), 15008, GREETING, asked -> 401));
    var web = web("refusing").setWaypoint(byAddress(pod));
    mesh.controlPlane().announce(web);
    int mark = mesh.a().ztunnel().logSize();
    Calls.refused(client, at(web));
    mesh.a()
        .ztunnel()
        .awaitLog("the refusal", mark, line -> line.text().contains("answered CONNECT with 401"));
  }

  // -- a waypoint that is itself captured

  @Test
  void aCapturedWaypointTakesWhatIsMeantForOthers() throws IOException {
    var pod = mesh.captured(mesh.b(), "sandwich");
    var server = mesh.captured(mesh.b(), "sandwiched");
    mesh.controlPlane()
        .announce(WorkloadResource.captured(server).with(w -> w.setWaypoint(byAddress(pod))));
    keep(TcpServer.callerAddress(pod, PORT));
    keep(TcpServer.start(server, PORT, socket -> socket.getOutputStream().write('s')));
    // The waypoint's own program answers at the port, from the client's address.
    try (var connection = TcpClient.connect(client, server.at(PORT))) {
      assertThat(new String(connection.receiveAll(), StandardCharsets.US_ASCII))
          .isEqualTo(client.ipv4().getHostAddress());
    }
    // The waypoint itself goes to the server.
    try (var connection = TcpClient.connect(pod, server.at(PORT))) {
      assertThat(new String(connection.receiveAll(), StandardCharsets.US_ASCII)).isEqualTo("s");
    }
    // What is neither its own nor meant for it is not taken.
    try (var hbone =
        HboneClient.connect(
            mesh.uncaptured(mesh.a(), "stranger").host(),
            pod.at(15008),
            mesh.authority(),
            mesh.authority().workload(client.identity()))) {
      assertThat(hbone.connect("10.1.2.3:8080")).isEqualTo("400");
      assertThat(hbone.connect(server.ipv4().getHostAddress() + ":8080")).isEqualTo("200");
    }
  }

  @Test
  void aCapturedWaypointMayAskForTheProxyProtocol() throws Exception {
    pair.needsAmbitAtTheServers("of the peer no header was seen to arrive here");
    var gateway = web("proxy-gateway").clearPorts();
    var pod = mesh.captured(mesh.b(), "proxy");
    var server = mesh.captured(mesh.b(), "proxied");
    var headers = new LinkedBlockingQueue<ProxyHeader>();
    var resource =
        WorkloadResource.captured(pod)
            .behind(gateway, PROXY_PORT, PROXY_PORT)
            .with(
                w ->
                    w.setApplicationTunnel(
                        ApplicationTunnel.newBuilder()
                            .setProtocol(ApplicationTunnel.Protocol.PROXY)
                            .setPort(PROXY_PORT)));
    mesh.controlPlane().announce(gateway);
    mesh.controlPlane()
        .announce(
            resource,
            WorkloadResource.captured(server)
                .with(w -> w.setWaypoint(byAddress(gateway.getAddresses(0).getAddress()))));
    keep(
        TcpServer.start(
            pod,
            PROXY_PORT,
            socket -> {
              headers.add(ProxyHeader.read(new DataInputStream(socket.getInputStream()), socket));
              socket.getOutputStream().write("seen".getBytes(StandardCharsets.US_ASCII));
              socket.getInputStream().readAllBytes();
            }));
    announced(server.at(PORT), headers, client.ipv4());
    // The waypoint is named by an IPv4 address, so it is called from one.
    announced(server.at6(PORT), headers, client.ipv4());

    // A service asked for by name becomes its address.
    var web = web("proxied-web");
    mesh.controlPlane().announce(web);
    mesh.controlPlane().announce(resource.behind(web, 80, PORT));
    try (var hbone =
        HboneClient.connect(
            mesh.uncaptured(mesh.a(), "by-name").host(),
            pod.at(15008),
            mesh.authority(),
            mesh.authority().workload(client.identity()))) {
      assertThat(hbone.connect(web.getHostname() + ":80")).isEqualTo("200");
      assertThat(hbone.receive(4)).isEqualTo("seen");
    }
    var header = headers.poll(Patience.MIDDLE.toSeconds(), TimeUnit.SECONDS);
    assertThat(header).isNotNull();
    assertThat(header.destination()).isEqualTo(at(web));
  }

  private void announced(
      InetSocketAddress destination, BlockingQueue<ProxyHeader> headers, InetAddress caller)
      throws Exception {
    try (var connection = TcpClient.connect(client, destination)) {
      assertThat(connection.receive(4)).isEqualTo("seen");
      var header = headers.poll(Patience.MIDDLE.toSeconds(), TimeUnit.SECONDS);
      assertThat(header).isNotNull();
      assertThat(header.source().getAddress()).isEqualTo(caller);
      assertThat(header.destination()).isEqualTo(destination);
      assertThat(header.extensions()).isEqualTo(Map.of(0xd0, client.identity()));
      assertThat(header.from().isLoopbackAddress()).isTrue();
    }
  }

  /**
   * A PROXY protocol header, version 2.
   *
   * @param extensions by type
   * @param from whom the connection that carried it was from
   */
  private record ProxyHeader(
      InetSocketAddress source,
      InetSocketAddress destination,
      Map<Integer, String> extensions,
      InetAddress from) {
    static ProxyHeader read(DataInputStream in, java.net.Socket socket) throws IOException {
      var signature = in.readNBytes(12);
      assertThat(signature).startsWith(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a).endsWith(0x0a);
      assertThat(in.readUnsignedByte()).isEqualTo(0x21);
      int size = in.readUnsignedByte() == 0x11 ? 4 : 16;
      int rest = in.readUnsignedShort() - 2 * size - 4;
      var source = InetAddress.getByAddress(in.readNBytes(size));
      var destination = InetAddress.getByAddress(in.readNBytes(size));
      int sourcePort = in.readUnsignedShort();
      int destinationPort = in.readUnsignedShort();
      var extensions = new java.util.HashMap<Integer, String>();
      while (rest > 0) {
        int type = in.readUnsignedByte();
        int length = in.readUnsignedShort();
        extensions.put(type, new String(in.readNBytes(length), StandardCharsets.US_ASCII));
        rest -= 3 + length;
      }
      return new ProxyHeader(
          new InetSocketAddress(source, sourcePort),
          new InetSocketAddress(destination, destinationPort),
          extensions,
          socket.getInetAddress());
    }
  }

  @Test
  void aServiceThatPassesThroughStillGoesToItsWaypoint() throws IOException {
    var pod = mesh.uncaptured(mesh.b(), "wp-passthrough");
    var waypoint = waypointIn(pod);
    var web =
        web("passthrough")
            .setWaypoint(byAddress(pod))
            .setLoadBalancing(LoadBalancing.newBuilder().setMode(LoadBalancing.Mode.PASSTHROUGH));
    mesh.controlPlane().announce(web);
    goesThrough(waypoint, at(web));
  }
}
