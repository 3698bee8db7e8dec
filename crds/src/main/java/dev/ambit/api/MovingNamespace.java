package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** A namespace of a fleet that is on its way. */
public record MovingNamespace(
    @JsonPropertyDescription("The namespace.") String namespace,
    @JsonPropertyDescription("Its wave, or Leaving.") String wave,
    @JsonPropertyDescription("Since when it has been on its way.") String since) {}
