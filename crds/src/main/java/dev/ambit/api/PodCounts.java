package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** Pods of a namespace that have not completed. */
public record PodCounts(
    @JsonPropertyDescription("All pods that have not completed.") int total,
    @JsonPropertyDescription("Pods whose node agent has captured them.") int captured,
    @JsonPropertyDescription(
            "Of these, pods with which the last handshake showed the identity that they should have.")
        int proven,
    @JsonPropertyDescription("Pods whose step of the rollout has not come yet.") int held,
    @JsonPropertyDescription("Pods that are left out, each for a reason.") int excluded) {}
