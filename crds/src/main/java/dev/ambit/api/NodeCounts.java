package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** How far the node components are on the cluster's nodes. */
public record NodeCounts(
    @JsonPropertyDescription("Nodes that the components should run on.") int total,
    @JsonPropertyDescription("Nodes whose ztunnel and agent are both ready.") int ready,
    @JsonPropertyDescription("Nodes whose ztunnel and agent both run what the spec asks for.")
        int upToDate,
    @JsonPropertyDescription("Ready out of total.") String summary) {

  /** Counts with their summary. */
  public static NodeCounts of(int total, int ready, int upToDate) {
    return new NodeCounts(total, ready, upToDate, ready + "/" + total);
  }
}
