package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** What a namespace wants of its waypoints. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record EnrollmentWaypoint(
    @JsonPropertyDescription(
            "What becomes of traffic to this namespace's services and pods while the waypoint that"
                + " they are bound to cannot be used: it is refused (Reject), or it goes to them"
                + " without the waypoint (Bypass), and what that was to enforce is not. Absent:"
                + " Reject. The label ambit.dev/waypoint-when-missing on the namespace or the object"
                + " wins over it.")
        @Nullable WhenMissing whenMissing) {}
