package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** A pod that is left out of the mesh, and why. */
public record ExcludedPod(
    @JsonPropertyDescription("Name of the pod.") String pod,
    @JsonPropertyDescription("Why it is left out, such as HostNetwork or OptedOut.")
        String reason) {}
