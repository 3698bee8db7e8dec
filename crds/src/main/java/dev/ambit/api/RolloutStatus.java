package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** How far a rollout is. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RolloutStatus(
    @JsonPropertyDescription("The step that is under way, or was last; 0 before the first.")
        int step,
    @JsonPropertyDescription("How many steps there are.") int steps,
    @JsonPropertyDescription("Step and steps, as people write them.") String summary,
    @JsonPropertyDescription(
            "Since when all pods of the step have been in the mesh; its bake time counts from then.")
        @Nullable String bakingSince,
    @JsonPropertyDescription("Whether the last step has been baked.") boolean complete,
    @JsonPropertyDescription(
            "Connections to and from captured pods since the step began; counted where abortAbove is"
                + " given.")
        long connections,
    @JsonPropertyDescription("Of these, connections that failed.") long failedConnections,
    @JsonPropertyDescription(
            "The generation of the spec whose rollout was given up; absent where none was. Another"
                + " spec is tried anew.")
        @Nullable Long abortedGeneration) {}
