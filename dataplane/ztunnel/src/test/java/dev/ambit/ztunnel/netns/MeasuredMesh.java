package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import dev.ambit.linux.Nftables;
import dev.ambit.protocol.workload.Address;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.Workload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A client and two servers on two nodes, beside one server that no mesh knows of, for measurements:
 * with a ztunnel on each node through which they talk, or without any.
 */
public final class MeasuredMesh implements AutoCloseable {
  private static final Duration POLLING = Duration.ofMillis(2);
  private static final String SERVICE_ADDRESS = "10.96.0.1";
  private static final int SERVICE_PORT = 80;

  private final Mesh mesh;
  private final boolean proxied;
  private final boolean udp;
  private final Pod client;
  private final Pod server;
  private final Pod otherServer;
  private final Pod outsider;
  private final List<ZtunnelProcess> running = new ArrayList<>();

  private MeasuredMesh(Mesh mesh, boolean proxied, boolean udp) {
    this.mesh = mesh;
    this.proxied = proxied;
    this.udp = udp;
    this.client = pod(mesh.a(), "client");
    this.server = pod(mesh.b(), "server");
    this.otherServer = pod(mesh.b(), "other-server");
    this.outsider = mesh.unknown(mesh.b(), "outsider");
    for (var pod : List.of(client, server, otherServer, outsider)) {
      // Loads with a connection for each request use up the usual range within seconds.
      pod.host().sysctl("net/ipv4/ip_local_port_range", "1024 65535");
      pod.host().sysctl("net/ipv4/tcp_tw_reuse", "1");
    }
  }

  /** Makes the namespaces, in which nothing runs yet; without a program nobody is captured. */
  public static MeasuredMesh create(Optional<ZtunnelProgram> program, Path log) {
    return program
        .map(
            present ->
                new MeasuredMesh(
                    Mesh.toMeasure(present.loggingTo(log.toAbsolutePath()), Map.of()), true, false))
        .orElseGet(
            () -> new MeasuredMesh(Mesh.toMeasure(ZtunnelProgram.ambit(), Map.of()), false, false));
  }

  /** Makes the namespaces of ztunnels that carry UDP. */
  public static MeasuredMesh createWithUdp(ZtunnelProgram program, Path log) {
    var logging = program.loggingTo(log.toAbsolutePath());
    return new MeasuredMesh(Mesh.toMeasure(logging, Map.of("UDP_ENABLED", "true")), true, true);
  }

  /** Skips the test, or fails it in CI, where the machine lacks root or one of the programs. */
  public static void require(String... programs) {
    Requirements.check();
    Requirements.check(List.of(programs));
  }

  private Pod pod(MeshNode node, String role) {
    if (!proxied) {
      return mesh.unknown(node, role);
    }
    var pod = mesh.captured(node, role);
    if (udp) {
      mesh.controlPlane()
          .announce(WorkloadResource.captured(pod).with(workload -> workload.setDatagrams(true)));
    }
    return pod;
  }

  /** Waits until the client's datagrams to the server are led to its ztunnel, if to any. */
  public void awaitDatagrams() {
    if (udp) {
      await("the client's datagrams are captured")
          .atMost(Patience.LONG)
          .until(
              () ->
                  client
                      .host()
                      .call(() -> Nftables.run("list table inet ambit_udp"))
                      .contains(serverAddress()));
    }
  }

  public boolean isProxied() {
    return proxied;
  }

  /** The namespace of the client, as {@code ip netns} knows it. */
  public String clientNamespace() {
    return client.host().name();
  }

  public String serverNamespace() {
    return server.host().name();
  }

  public String otherServerNamespace() {
    return otherServer.host().name();
  }

  public String serverAddress() {
    return server.ipv4().getHostAddress();
  }

  /** Of the server that is outside the mesh, whatever runs. */
  public String outsiderAddress() {
    return outsider.ipv4().getHostAddress();
  }

  /** The command that runs {@code command} in the client's pod. */
  public List<String> inClient(List<String> command) {
    return client.host().command(command);
  }

  /** The command that runs {@code command} in the server's pod. */
  public List<String> inServer(List<String> command) {
    return server.host().command(command);
  }

  /** The command that runs {@code command} in the pod of the server outside the mesh. */
  public List<String> inOutsider(List<String> command) {
    return outsider.host().command(command);
  }

  /**
   * Starts both nodes' ztunnels, one after the other.
   *
   * @return for each how long it took from its start until it said that it is ready
   */
  public List<Duration> startZtunnels() {
    return List.of(startClientsZtunnel(), startServersZtunnel());
  }

  /** Starts only the ztunnel of the client's node. */
  public Duration startClientsZtunnel() {
    return startZtunnel(mesh.a());
  }

  /** Starts only the ztunnel of the servers' node. */
  public Duration startServersZtunnel() {
    return startZtunnel(mesh.b());
  }

  private Duration startZtunnel(MeshNode node) {
    long start = System.nanoTime();
    var ztunnel = node.startZtunnel();
    running.add(ztunnel);
    long patience = start + Patience.LONG.multipliedBy(4).toNanos();
    while (!ztunnel.isReady()) {
      if (!ztunnel.isAlive() || System.nanoTime() > patience) {
        throw new IllegalStateException(
            "the ztunnel of %s (%s) does not become ready; see its log"
                .formatted(node.node(), node.program()));
      }
      pause(POLLING);
    }
    return Duration.ofNanos(System.nanoTime() - start);
  }

  /** The ztunnels that run, the client's node's first. */
  public List<Long> ztunnels() {
    return running.stream().map(ZtunnelProcess::pid).toList();
  }

  /** Ends them at once. */
  public void killZtunnels() {
    running.forEach(ZtunnelProcess::kill);
    running.clear();
  }

  /** Lets the control plane know {@code count} further workloads, in as many services / 10. */
  public void knowWorkloads(int count) {
    var resources = new LinkedHashMap<String, Message>();
    for (int i = 0; i < count; i++) {
      int service = i / 10;
      var hostname = "service-" + service + ".large.svc.cluster.local";
      if (i % 10 == 0) {
        var announced =
            new ServiceResource(
                "large", "service-" + service, new InetSocketAddress(address(11, service), 80), 80);
        resources.put(announced.key(), announced.address());
      }
      var uid = "Kubernetes//Pod/large/workload-" + i;
      resources.put(
          uid,
          Address.newBuilder()
              .setWorkload(
                  Workload.newBuilder()
                      .setUid(uid)
                      .setName("workload-" + i)
                      .setNamespace("large")
                      .setServiceAccount("account-" + service % 1000)
                      .addAddresses(ByteString.copyFrom(address(12, i).getAddress()))
                      .setTunnelProtocol(TunnelProtocol.HBONE)
                      .setNode("node-" + i % 1000)
                      .setCanonicalName("service-" + service)
                      .setCanonicalRevision("latest")
                      .setWorkloadName("service-" + service)
                      .setClusterId("Kubernetes")
                      .putServices(
                          "large/" + hostname,
                          dev.ambit.protocol.workload.PortList.newBuilder()
                              .addPorts(
                                  dev.ambit.protocol.workload.Port.newBuilder()
                                      .setServicePort(80)
                                      .setTargetPort(8080))
                              .build()))
              .build());
    }
    mesh.controlPlane().discovery().set(resources);
  }

  private static InetAddress address(int first, int number) {
    try {
      return InetAddress.getByAddress(
          new byte[] {
            (byte) first, (byte) (number >> 16), (byte) (number >> 8), (byte) (number & 0xff)
          });
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  /**
   * Moves the only endpoint of a service between the two servers, and connects to the service until
   * the other one answers.
   *
   * @param port where each server says its first letter: {@code o} for the other one, else another
   * @return the time from the change at the control plane to the first connection that followed it
   */
  public List<Duration> moveEndpoint(int times, int port) throws IOException {
    var address = new InetSocketAddress(InetAddress.getByName(SERVICE_ADDRESS), SERVICE_PORT);
    var service = new ServiceResource("shop", "moving", address, port);
    mesh.controlPlane().announce(service);
    var durations = new ArrayList<Duration>();
    move(otherServer, server, service);
    for (int i = 0; i < times; i++) {
      durations.add(
          i % 2 == 0 ? move(server, otherServer, service) : move(otherServer, server, service));
    }
    return durations;
  }

  private Duration move(Pod from, Pod to, ServiceResource service) throws IOException {
    var coming = WorkloadResource.captured(to).endpointOf(service, service.targetPort());
    var changes = new LinkedHashMap<String, Message>();
    changes.put(from.workloadUid(), WorkloadResource.captured(from).address());
    changes.put(coming.uid(), coming.address());
    long start = System.nanoTime();
    mesh.controlPlane().discovery().set(changes);
    long patience = start + Patience.LONG.toNanos();
    while (!answers(service, to == otherServer)) {
      if (System.nanoTime() > patience) {
        throw new IOException("a moved endpoint is not used within " + Patience.LONG);
      }
    }
    return Duration.ofNanos(System.nanoTime() - start);
  }

  private boolean answers(ServiceResource service, boolean other) {
    try (var connection = TcpClient.connect(client, service.address4())) {
      return connection.receive(1).equals("o") == other;
    } catch (IOException notYet) {
      return false;
    }
  }

  private static void pause(Duration duration) {
    try {
      Thread.sleep(duration);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    mesh.close();
  }
}
