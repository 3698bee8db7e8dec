package dev.ambit.k3s;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Objects;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.containers.Container.ExecResult;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.MountableFile;

/** One node of the cluster: a container with a kubelet and a container runtime in it. */
public final class ClusterNode {

  private final String name;
  private final GenericContainer<?> container;
  private final DockerImageName tools;

  ClusterNode(String name, GenericContainer<?> container, DockerImageName tools) {
    this.name = name;
    this.container = container;
    this.tools = tools;
  }

  /** The name that Kubernetes knows the node by. */
  public String name() {
    return name;
  }

  public String containerId() {
    return container.getContainerId();
  }

  /** The id, on the machine that the engine runs on, of the node's first process. */
  long processId() {
    return Objects.requireNonNull(container.getCurrentContainerInfo().getState().getPidLong());
  }

  /** What the node's own processes have printed so far. */
  public String logs() {
    return container.getLogs();
  }

  /** As after a loss of power: what ran is gone, and so is what was in memory alone. */
  void restart() {
    DockerClientFactory.instance()
        .client()
        .restartContainerCmd(containerId())
        .withTimeout(0)
        .exec();
    shareMounts();
  }

  /** K3s leaves this to its container's starter: pods see later mounts in folders of the node. */
  void shareMounts() {
    exec("mount", "--make-rshared", "/").orThrow();
  }

  /** Runs a command as root among the node's own processes. */
  public CommandResult exec(String... command) {
    try {
      ExecResult result = container.execInContainer(command);
      return new CommandResult(result.getExitCode(), result.getStdout(), result.getStderr());
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot run a command on node " + name, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while a command ran on node " + name, e);
    }
  }

  /** Runs a shell script as root among the node's own processes. */
  public CommandResult shell(String script) {
    return exec("sh", "-c", script);
  }

  /**
   * Puts the images of an archive, as {@code docker save} makes it, where this node's pods find
   * them.
   */
  public void load(Path archive) {
    String copy = "/tmp/" + archive.getFileName();
    container.copyFileToContainer(MountableFile.forHostPath(archive), copy);
    try {
      exec("ctr", "--namespace", "k8s.io", "images", "import", copy).orThrow();
    } finally {
      exec("rm", "-f", copy);
    }
  }

  /**
   * Starts to record packets on one of the node's interfaces; it records when this returns.
   *
   * @param networkInterface {@code eth0} towards the other node, {@code cni0} for its own pods,
   *     {@code any} for all
   * @param filter in tcpdump's language; empty for everything
   */
  public PacketCapture capture(String networkInterface, String filter) {
    return PacketCapture.start(tools, containerId(), networkInterface, filter);
  }

  /**
   * Runs a command in a container of its own inside this node's network namespace, with the right
   * to change it.
   */
  CommandResult inNetwork(String... command) {
    return NetworkTool.run(tools, containerId(), command);
  }
}
