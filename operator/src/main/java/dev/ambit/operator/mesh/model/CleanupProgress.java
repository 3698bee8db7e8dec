package dev.ambit.operator.mesh.model;

import dev.ambit.operator.model.Names;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** How far the mesh is off the nodes, once its AmbientMesh is being deleted. */
public sealed interface CleanupProgress {
  /** Beyond the time that open connections may take: what an agent needs to do its part. */
  Duration GRACE = Duration.ofMinutes(2);

  /** Nodes and namespaces that messages name. */
  int MOST_NAMED = 10;

  /** Nothing of the mesh is left on any node. */
  record Clean() implements CleanupProgress {}

  /** Agents are at it. */
  record Waiting(String message) implements CleanupProgress {}

  /** The time is over; the rest is left to a person. */
  record GivenUp(String message) implements CleanupProgress {}

  /**
   * What is known of the nodes.
   *
   * @param agents whether the agents' DaemonSet exists
   * @param nodes how many nodes should have an agent
   * @param clean nodes whose agent has said that nothing is left
   * @param unclean nodes whose agent has not
   * @param enrolled namespaces with captured pods
   */
  record Nodes(
      boolean agents, int nodes, List<String> clean, List<String> unclean, List<String> enrolled) {}

  /** Judges. */
  static CleanupProgress of(
      Nodes nodes, Instant deletionBegan, Duration connectionsMayTake, Instant now) {
    int missing = Math.max(0, nodes.nodes() - nodes.clean().size() - nodes.unclean().size());
    if (!nodes.agents() || (missing == 0 && nodes.unclean().isEmpty())) {
      return new Clean();
    }
    StringBuilder left = new StringBuilder();
    if (!nodes.unclean().isEmpty()) {
      left.append("agents have not cleaned these nodes: ")
          .append(Names.some(nodes.unclean(), MOST_NAMED));
    }
    if (missing > 0) {
      left.append(left.isEmpty() ? "" : "; ").append(missing).append(" nodes have no agent");
    }
    Instant deadline = deletionBegan.plus(connectionsMayTake).plus(GRACE);
    if (!now.isBefore(deadline)) {
      return new GivenUp(
          "Removed the mesh with "
              + left
              + ". Restart the pods that were captured there, or the nodes.");
    }
    return new Waiting(
        "Pods are leaving the mesh: "
            + left
            + "."
            + (nodes.enrolled().isEmpty()
                ? ""
                : " Namespaces with captured pods: "
                    + Names.some(nodes.enrolled(), MOST_NAMED)
                    + ".")
            + " At "
            + deadline
            + " the mesh is removed nevertheless.");
  }
}
