package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** How far a fleet's waves are. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record WaveStatus(
    @JsonPropertyDescription("The last wave whose namespaces may move.") String name,
    @JsonPropertyDescription("Its place among the waves, and how many there are, such as 2/3.")
        String summary,
    @JsonPropertyDescription("The template that the waves are for, as a fingerprint of it.")
        String template,
    @JsonPropertyDescription(
            "Since when all namespaces of the wave have been where they should be; its bake time"
                + " counts from then.")
        @Nullable String bakingSince,
    @JsonPropertyDescription("Whether the last wave is through.") boolean complete) {}
