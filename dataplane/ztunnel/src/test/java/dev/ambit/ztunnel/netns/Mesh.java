package dev.ambit.ztunnel.netns;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/** A whole mesh without a cluster: two nodes, each with a node agent and a ztunnel. */
final class Mesh implements AutoCloseable {
  /** What a ztunnel never has a good reason to log: a leaked buffer, or a fault of its own code. */
  private static final Pattern FAULT =
      Pattern.compile(
          "LEAK:|NullPointerException|IllegalState|IllegalReferenceCount|ClassCast|IndexOutOfBounds"
              + "|ConcurrentModification|OutOfMemory|StackOverflow|AssertionError|NoSuchElement");

  /** Leaks are looked for in every buffer, not in a sample. */
  private static final String JVM_OPTIONS = "-Dio.netty.leakDetection.level=paranoid";

  private final Deque<AutoCloseable> resources = new ArrayDeque<>();
  private final AtomicInteger lastPod = new AtomicInteger();
  private final Map<String, String> environment;
  private final Path folder;
  private final Network network;
  private final FakeControlPlane controlPlane;
  private final MeshNode a;
  private final MeshNode b;

  private Mesh(Map<String, String> environment, ZtunnelProgram onA, ZtunnelProgram onB) {
    this.environment = Map.copyOf(environment);
    // First, since it can decide that nothing is to be done here.
    this.network = keep(Network.create());
    this.folder = temporaryFolder();
    keep(() -> delete(folder));
    this.controlPlane = keep(new FakeControlPlane(network.control()));
    this.a = keep(new MeshNode(this, network.a(), folder.resolve("a"), onA));
    this.b = keep(new MeshNode(this, network.b(), folder.resolve("b"), onB));
  }

  /** Makes the mesh, with a ztunnel on each node that is ready. */
  static Mesh start() {
    return start(Map.of());
  }

  /**
   * Makes the mesh, with a ztunnel on each node that is ready.
   *
   * @param environment further variables of the ztunnels
   */
  static Mesh start(Map<String, String> environment) {
    return started(withoutZtunnels(environment));
  }

  /** Makes the mesh, with ready ztunnels that are these programs. */
  static Mesh start(ZtunnelProgram onA, ZtunnelProgram onB, Map<String, String> environment) {
    return started(new Mesh(forTests(environment), onA, onB).withControlPlane());
  }

  private static Mesh started(Mesh mesh) {
    try {
      mesh.a.startZtunnel();
      mesh.b.startZtunnel();
      mesh.a.awaitReady();
      mesh.b.awaitReady();
      return mesh;
    } catch (RuntimeException e) {
      mesh.close();
      throw e;
    }
  }

  /** Makes the mesh, with a control plane that runs, and without ztunnels. */
  static Mesh withoutZtunnels(Map<String, String> environment) {
    var ambit = ZtunnelProgram.ambit();
    return withoutZtunnels(ambit, ambit, environment);
  }

  /** The same, for ztunnels that will be these programs. */
  static Mesh withoutZtunnels(
      ZtunnelProgram onA, ZtunnelProgram onB, Map<String, String> environment) {
    return new Mesh(forTests(environment), onA, onB).withControlPlane();
  }

  /**
   * Makes the mesh, with a control plane that runs, and without ztunnels; those that are started
   * get no variables but these and what tells them where they are.
   */
  static Mesh toMeasure(ZtunnelProgram program, Map<String, String> environment) {
    return new Mesh(environment, program, program).withControlPlane();
  }

  private static Map<String, String> forTests(Map<String, String> environment) {
    var variables = new HashMap<>(environment);
    variables.putIfAbsent("AMBIT_JVM_OPTIONS", JVM_OPTIONS);
    variables.putIfAbsent("ZTUNNEL_WORKER_THREADS", "1");
    return variables;
  }

  private Mesh withControlPlane() {
    controlPlane.start();
    return this;
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("ambit-it");
    } catch (IOException e) {
      throw new IllegalStateException("no temporary folder", e);
    }
  }

  private static void delete(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  private <T extends AutoCloseable> T keep(T resource) {
    resources.push(resource);
    return resource;
  }

  Network network() {
    return network;
  }

  FakeControlPlane controlPlane() {
    return controlPlane;
  }

  TestAuthority authority() {
    return controlPlane.authority();
  }

  MeshNode a() {
    return a;
  }

  MeshNode b() {
    return b;
  }

  Map<String, String> environment() {
    return environment;
  }

  private Pod pod(MeshNode node, String role) {
    int number = lastPod.incrementAndGet();
    return node.node().pod("shop", role + "-" + number, role);
  }

  /** A pod of namespace {@code shop} that the mesh has captured, and everyone knows. */
  Pod captured(MeshNode node, String serviceAccount) {
    return capture(node, pod(node, serviceAccount));
  }

  /** A captured pod of another namespace. */
  Pod captured(MeshNode node, String namespace, String serviceAccount) {
    return capture(
        node,
        node.node()
            .pod(namespace, serviceAccount + "-" + lastPod.incrementAndGet(), serviceAccount));
  }

  private Pod capture(MeshNode node, Pod pod) {
    controlPlane.announce(WorkloadResource.captured(pod));
    node.agent().capture(pod);
    return pod;
  }

  /** A pod of namespace {@code shop} that is known to the mesh but outside it. */
  Pod uncaptured(MeshNode node, String serviceAccount) {
    var pod = pod(node, serviceAccount);
    controlPlane.announce(WorkloadResource.plain(pod));
    return pod;
  }

  /** A pod that the mesh has never heard of. */
  Pod unknown(MeshNode node, String serviceAccount) {
    return pod(node, serviceAccount);
  }

  /** Waits until {@code count} clients are served by discovery and have answered everything. */
  void awaitDiscovery(int count) {
    await(count + " xDS clients")
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(() -> controlPlane.subscribedClients() == count);
    controlPlane.awaitSettled();
  }

  /** Both ztunnels' logs, for the message of a failed assertion. */
  String logs() {
    return "ztunnel of node a:\n" + a.logText() + "\nztunnel of node b:\n" + b.logText();
  }

  /** Keeps the logs for people, in {@code target/netns-logs}, and fails where they show a fault. */
  private void inspectLogs() throws IOException {
    var kept = Files.createDirectories(Path.of("target", "netns-logs"));
    var faults = new ArrayList<String>();
    for (var node : List.of(a, b)) {
      for (var ztunnel : node.ztunnels()) {
        Files.writeString(
            kept.resolve("%s-%s.log".formatted(folder.getFileName(), ztunnel.pod().name())),
            ztunnel.logText());
        ztunnel.log().stream()
            .map(LogLine::text)
            .filter(line -> FAULT.matcher(line).find())
            .forEach(faults::add);
      }
    }
    if (!faults.isEmpty()) {
      throw new IOException("ztunnels logged faults of their own:\n" + String.join("\n", faults));
    }
  }

  @Override
  public void close() {
    keep(this::inspectLogs);
    Closing.all(resources);
  }
}
