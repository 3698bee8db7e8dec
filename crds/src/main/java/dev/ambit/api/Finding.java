package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** What preflight has found that speaks against an enrollment, or that a person should know. */
public record Finding(
    @JsonPropertyDescription("Error, which holds the enrollment, or Warning.") Severity severity,
    @JsonPropertyDescription("What was found, in one word.") String reason,
    @JsonPropertyDescription("The object that it was found at, as Kind namespace/name.")
        String object,
    @JsonPropertyDescription("What would happen, and what to do.") String message) {}
