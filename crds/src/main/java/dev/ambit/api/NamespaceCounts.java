package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** Namespaces of a fleet. All but the first add up to it, with those that leave on top. */
public record NamespaceCounts(
    @JsonPropertyDescription("Namespaces that the selector selects.") int selected,
    @JsonPropertyDescription("Namespaces that are where the template asks for.") int done,
    @JsonPropertyDescription("Namespaces that are on their way.") int moving,
    @JsonPropertyDescription("Namespaces whose turn has not come.") int waiting,
    @JsonPropertyDescription("Namespaces whose MeshEnrollment is stalled.") int failed,
    @JsonPropertyDescription(
            "Namespaces that the fleet leaves alone: excluded, with a MeshEnrollment of their own, of"
                + " another fleet, or of no wave.")
        int held,
    @JsonPropertyDescription(
            "Namespaces that are selected no longer, or whose fleet is being deleted, and have yet to"
                + " leave.")
        int leaving) {}
