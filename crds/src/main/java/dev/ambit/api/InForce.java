package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/**
 * What the operator has released of an enrollment: node agents and the control plane go by this and
 * not by the spec, so that what is asked for takes effect no sooner than it is checked.
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record InForce(
    @JsonPropertyDescription(
            "Pods whose number, from 0 to 999999 and made of their namespace and name, is below it"
                + " are captured.")
        int cut,
    @JsonPropertyDescription(
            "Whether captured pods accept plaintext; with StrictWhenQuiet they do, and it is watched.")
        @Nullable EnrollmentMtls mtls,
    @JsonPropertyDescription("Whether the pods' UDP is carried, where the mesh carries any.")
        @Nullable Boolean udp,
    @JsonPropertyDescription("What becomes of traffic whose waypoint cannot be used.")
        @Nullable WhenMissing whenMissing,
    @JsonPropertyDescription(
            "The waypoint that the namespace's services or workloads are bound to, as if the"
                + " namespace's label istio.io/use-waypoint named it.")
        @Nullable String waypoint,
    @JsonPropertyDescription(
            "The waypoint that they are to be bound to next: it is told of them, and nodes go on as"
                + " before until it has said that it knows them.")
        @Nullable String nextWaypoint) {
  /** The same, with traffic led through that waypoint, and no other to come. */
  public InForce boundTo(@Nullable String name) {
    return new InForce(cut, mtls, udp, whenMissing, name, null);
  }

  /** The same, with a waypoint that is to be told of what is to go through it. */
  public InForce preparing(@Nullable String name) {
    return new InForce(cut, mtls, udp, whenMissing, waypoint, name);
  }
}
