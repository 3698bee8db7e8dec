package dev.ambit.agent;

import dev.ambit.agent.capture.PodCaptures;
import dev.ambit.agent.capture.Workqueue;
import dev.ambit.agent.cluster.Cluster;
import dev.ambit.agent.cluster.MeshState;
import dev.ambit.agent.cni.CniInstaller;
import dev.ambit.agent.cni.EnrolledNamespaces;
import dev.ambit.agent.rules.HostRules;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what the agent has on the node itself, outside pods: the CNI plugin and what it needs to
 * know while the agent is away. Takes all of it away once the mesh is deleted and every pod is
 * free.
 */
final class NodeUpkeep implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(NodeUpkeep.class);

  private static final String NODE = "node";

  /** Others rewrite network configurations as well: looked at this often. */
  private static final Duration LOOK_AGAIN = Duration.ofSeconds(5);

  private static final Duration LOOK_AT_PODS = Duration.ofSeconds(1);

  private final Cluster cluster;
  private final CniInstaller installer;
  private final EnrolledNamespaces namespaces;
  private final HostRules hostRules;
  private final Workqueue queue;

  private volatile @Nullable PodCaptures captures;
  private volatile String problem = "the agent is starting";

  /** Whether the annotation says that the node is clean; null while that is not known. */
  private @Nullable Boolean clean;

  NodeUpkeep(
      Cluster cluster, CniInstaller installer, EnrolledNamespaces namespaces, HostRules hostRules) {
    this.cluster = cluster;
    this.installer = installer;
    this.namespaces = namespaces;
    this.hostRules = hostRules;
    this.queue =
        new Workqueue(
            "upkeep",
            1,
            Duration.ofMillis(500),
            Duration.ofSeconds(10),
            key -> Optional.of(perform()),
            this::failed);
  }

  void start(PodCaptures all) {
    captures = all;
    queue.add(NODE);
  }

  void changed() {
    if (captures != null) {
      queue.add(NODE);
    }
  }

  /** What keeps the node from being ready, or empty. */
  String problem() {
    return problem;
  }

  private Duration perform() throws IOException {
    var all = captures;
    if (all == null) {
      return LOOK_AGAIN;
    }
    var next =
        switch (cluster.mesh()) {
          case MeshState.Absent absent -> {
            // Once the node is clean, nothing is to come back until the DaemonSet goes as well.
            if (!Boolean.TRUE.equals(clean)) {
              namespaces.write(Set.of());
            }
            yield LOOK_AGAIN;
          }
          case MeshState.Present present -> {
            namespaces.write(cluster.enrolledNamespaces());
            installer.install();
            report(false);
            yield LOOK_AGAIN;
          }
          case MeshState.Leaving leaving -> leave(all);
        };
    problem = "";
    return next;
  }

  private Duration leave(PodCaptures all) throws IOException {
    // First, so that pods that start from now on do so without the agent.
    installer.uninstall();
    namespaces.delete();
    if (!all.allFree()) {
      return LOOK_AT_PODS;
    }
    hostRules.uninstall();
    report(true);
    return LOOK_AGAIN;
  }

  private void report(boolean now) {
    if (clean == null || clean != now) {
      cluster.writeClean(now);
      clean = now;
      if (now) {
        LOG.atInfo().log("nothing of the mesh is left on this node");
      }
    }
  }

  private void failed(String key, int attempt, Exception cause) {
    problem = String.valueOf(cause.getMessage());
    if (Integer.bitCount(attempt) == 1) {
      var log = LOG.atWarn().addKeyValue("reason", problem).addKeyValue("attempt", attempt);
      (cause instanceof IOException ? log : log.setCause(cause))
          .log("the node is not yet as it should be");
    }
  }

  @Override
  public void close() {
    queue.close();
  }
}
