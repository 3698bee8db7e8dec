package dev.ambit.operator.mesh.model;

import dev.ambit.api.NodeCounts;
import dev.ambit.api.WellKnown;
import org.jspecify.annotations.Nullable;

/** How the mesh as a whole is doing. */
public sealed interface MeshProgress {
  String reason();

  String message();

  /** Every node has what is asked for, and is ready. */
  record Ready(NodeCounts nodes) implements MeshProgress {
    @Override
    public String reason() {
      return "NodesReady";
    }

    @Override
    public String message() {
      return "ztunnel and agent are ready on " + nodes.summary() + " nodes.";
    }
  }

  /** Nodes are on their way. */
  record RollingOut(NodeCounts nodes) implements MeshProgress {
    @Override
    public String reason() {
      return "NodesNotReady";
    }

    @Override
    public String message() {
      return nodes.total() == 0
          ? "ztunnel and agent are being installed."
          : "ztunnel and agent are ready on "
              + nodes.summary()
              + " nodes and up to date on "
              + nodes.upToDate()
              + ". Pods of DaemonSets ambit-ztunnel and ambit-agent tell why if this lasts.";
    }
  }

  /**
   * A person has to change something.
   *
   * @param installable whether the node components can be installed nevertheless
   */
  record Stalled(String reason, String message, boolean installable) implements MeshProgress {}

  /** Judges. */
  static MeshProgress of(MeshObservation observed) {
    Stalled obstacle = obstacle(observed);
    if (obstacle != null) {
      return obstacle;
    }
    NodeCounts nodes = nodes(observed);
    return nodes.total() > 0 && nodes.ready() == nodes.total() && nodes.upToDate() == nodes.total()
        ? new Ready(nodes)
        : new RollingOut(nodes);
  }

  private static @Nullable Stalled obstacle(MeshObservation observed) {
    if (!WellKnown.DEFAULT_NAME.equals(observed.name())) {
      return new Stalled(
          "NameNotDefault",
          "A cluster has one AmbientMesh, and it is named default. This one is ignored: delete it.",
          false);
    }
    if (observed.trustDomainProblem() != null) {
      return new Stalled(
          "InvalidTrustDomain",
          observed.trustDomainProblem()
              + ". Set spec.trustDomain and spec.trustDomainAliases to valid ones.",
          false);
    }
    String inUse = observed.trustDomainInUse();
    if (inUse != null && !inUse.equals(observed.trustDomain())) {
      return new Stalled(
          "TrustDomainChanged",
          "The mesh uses trust domain "
              + inUse
              + ", which every certificate names, so "
              + observed.trustDomain()
              + " is not taken up. Set it back; or delete the AmbientMesh, wait until it is gone, and"
              + " create it anew.",
          false);
    }
    return switch (observed.authority()) {
      case AuthorityVerdict.Usable ignored -> null;
      case AuthorityVerdict.Unusable(String reason, String message) ->
          new Stalled(reason, message, true);
    };
  }

  /** A node counts as far as the component that is behind. */
  static NodeCounts nodes(MeshObservation observed) {
    ComponentState ztunnel = observed.ztunnel();
    ComponentState agent = observed.agent();
    return NodeCounts.of(
        Math.max(ztunnel.nodes(), agent.nodes()),
        Math.min(ztunnel.ready(), agent.ready()),
        Math.min(ztunnel.upToDate(), agent.upToDate()));
  }
}
