package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonPropertyDescription;

/** Who enforces a policy before an enrollment and after it. */
public record PolicyPlan(
    @JsonPropertyDescription("The policy, as Kind namespace/name.") String policy,
    @JsonPropertyDescription("Who enforces it now.") String before,
    @JsonPropertyDescription("Who would enforce it.") String after,
    @JsonPropertyDescription("Whether what passes would be other than its author wrote.")
        boolean meaningChanges) {}
