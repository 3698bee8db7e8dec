package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** What some instances of a waypoint request of the cluster. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ResourceDemand(
    @JsonPropertyDescription("How many instances.") int instances,
    @JsonPropertyDescription("CPU that they request together. Absent where they request none.")
        @Nullable String cpu,
    @JsonPropertyDescription("Memory that they request together. Absent where they request none.")
        @Nullable String memory) {}
