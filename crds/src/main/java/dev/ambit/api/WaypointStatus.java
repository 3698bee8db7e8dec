package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** How far the binding of a namespace to its waypoint is. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record WaypointStatus(
    @JsonPropertyDescription("Since when the namespace is bound as status.inForce says.")
        String since,
    @JsonPropertyDescription("The waypoint that it was bound to before, while that is to go.")
        @Nullable String leaving) {}
