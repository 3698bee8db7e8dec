package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** How many namespaces with an enrollment are at each stage. */
public record StageCounts(
    @JsonPropertyDescription("Namespaces with an enrollment and no captured pods.") int none,
    @JsonPropertyDescription("Namespaces at stage L4.") int l4,
    @JsonPropertyDescription("Namespaces at stage L7.") int l7) {}
