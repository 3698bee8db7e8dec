package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/** A node of a {@link Mesh}: its node agent, and its ztunnels in the order of their start. */
final class MeshNode implements AutoCloseable {
  private final Mesh mesh;
  private final Node node;
  private final Path folder;
  private final ZtunnelProgram program;
  private final FakeNodeAgent agent;
  private final List<ZtunnelProcess> ztunnels = new CopyOnWriteArrayList<>();

  MeshNode(Mesh mesh, Node node, Path folder, ZtunnelProgram program) {
    this.mesh = mesh;
    this.node = node;
    this.folder = folder;
    this.program = program;
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new IllegalStateException("no folder for " + node, e);
    }
    this.agent = new FakeNodeAgent(folder.resolve("ztunnel.sock"));
  }

  Node node() {
    return node;
  }

  /** What runs as its ztunnel. */
  ZtunnelProgram program() {
    return program;
  }

  FakeNodeAgent agent() {
    return agent;
  }

  /** The ztunnel that was started last. */
  ZtunnelProcess ztunnel() {
    return ztunnels.getLast();
  }

  /** Starts one more ztunnel, which may not be ready yet. */
  ZtunnelProcess startZtunnel() {
    return startZtunnel(Map.of());
  }

  ZtunnelProcess startZtunnel(Map<String, String> environment) {
    int number = ztunnels.size() + 1;
    var pod = node.pod("ambit-system", "ztunnel-" + node.index() + "-" + number, "ztunnel");
    var variables = new java.util.HashMap<>(mesh.environment());
    variables.putAll(environment);
    pod.host().nameServer(Network.CONTROL_ADDRESS);
    var started =
        ZtunnelProcess.start(
            program,
            pod,
            mesh.controlPlane(),
            agent.path(),
            folder.resolve("ztunnel-" + number),
            variables);
    ztunnels.add(started);
    return started;
  }

  void awaitReady() {
    try {
      ztunnel().awaitReady();
    } catch (RuntimeException e) {
      throw new IllegalStateException(
          "the ztunnel of %s is not ready; its log:%n%s".formatted(node, logText()), e);
    }
  }

  String logText() {
    return ztunnels.stream()
        .map(ztunnel -> "--- " + ztunnel.pod() + "\n" + ztunnel.logText())
        .reduce("", String::concat);
  }

  /** Where the last ztunnel's token and root certificate are. */
  Path ztunnelFolder() {
    return folder.resolve("ztunnel-" + ztunnels.size());
  }

  List<ZtunnelProcess> ztunnels() {
    return ztunnels;
  }

  @Override
  public void close() {
    agent.close();
    ztunnels.forEach(ZtunnelProcess::close);
  }
}
