package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** A namespace of a fleet that does not move, though it is not where the template asks for. */
public record HeldNamespace(
    @JsonPropertyDescription("The namespace.") String namespace,
    @JsonPropertyDescription(
            "Why, in one word: OwnEnrollment, Excluded, OtherFleet, NoWave, or the reason of its"
                + " MeshEnrollment's condition Stalled.")
        String reason,
    @JsonPropertyDescription("What a person should know of it.") String message) {}
