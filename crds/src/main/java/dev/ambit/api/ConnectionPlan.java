package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Connections of the namespace's pods that are open now. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ConnectionPlan(
    @JsonPropertyDescription("Since when the count, once a minute, has come to this.") String asOf,
    @JsonPropertyDescription(
            "Those of captured pods that go through tunnels. Where pods leave they may go on for"
                + " the AmbientMesh's spec.leaving.drainSeconds. Absent where nobody knows.")
        @Nullable Long tunnelled,
    @JsonPropertyDescription(
            "Those of captured pods that are plain; Strict cuts those to the pods. Absent where"
                + " nobody knows.")
        @Nullable Long plain,
    @JsonPropertyDescription(
            "Those of pods outside the mesh, TCP alone. They go on as they are, plain, when the"
                + " pods join, until they end. Absent where nobody knows.")
        @Nullable Long outside,
    @JsonPropertyDescription(
            "Whose connections are not counted: pods and nodes whose agent or ztunnel does not"
                + " answer.")
        List<String> unknown) {

  public ConnectionPlan {
    unknown = unknown == null ? List.of() : List.copyOf(unknown);
  }

  /** Whether it says what another one says, whenever either was counted. */
  public boolean saysAs(ConnectionPlan other) {
    return equals(
        new ConnectionPlan(asOf, other.tunnelled, other.plain, other.outside, other.unknown));
  }
}
