package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** The waypoint that stage L7 would take, and what it would cost. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record WaypointPlan(
    @JsonPropertyDescription("Its Gateway.") String name,
    @JsonPropertyDescription(
            "Whether the operator would make it. One that is there already costs nothing more.")
        boolean made,
    @JsonPropertyDescription("At the fewest instances.") @Nullable ResourceDemand fewest,
    @JsonPropertyDescription("At the most instances; the same where their number is fixed.")
        @Nullable ResourceDemand most,
    @JsonPropertyDescription("Why it is not known; absent where it is.")
        @Nullable String problem) {}
