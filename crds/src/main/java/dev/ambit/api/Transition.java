package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** One step of a namespace's way into or out of the mesh. */
public record Transition(
    @JsonPropertyDescription("When it happened.") String time,
    @JsonPropertyDescription("Where the namespace was then.") Stage stage,
    @JsonPropertyDescription("What began.") Phase phase,
    @JsonPropertyDescription("Why, in one word.") String reason) {}
