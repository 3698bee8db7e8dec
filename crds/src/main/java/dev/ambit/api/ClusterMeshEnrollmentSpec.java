package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Max;
import io.fabric8.generator.annotation.Min;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which namespaces a fleet has, where they should be in the mesh, and in which order they move. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record ClusterMeshEnrollmentSpec(
    @JsonPropertyDescription(
            "Which namespaces belong to the fleet, by their labels. Absent: none; an empty selector"
                + " selects all. Those that the AmbientMesh excludes are left out.")
        @Nullable NamespaceSelector namespaces,
    @JsonPropertyDescription(
            "The order in which namespaces move. A namespace is of the first wave that takes it;"
                + " one that no wave takes does not move. Absent: all are of one wave.")
        @Size(max = 20)
        @ValidationRule(
            value = "self.all(w, self.exists_one(o, o.name == w.name))",
            message = "each wave has a name of its own")
        List<Wave> waves,
    @JsonPropertyDescription(
            "How many namespaces may be on their way at once. One that is stalled does not count;"
                + " where it goes on by itself, one more may be on its way for a time.")
        @Default("5")
        @Min(1)
        @Max(1000)
        Integer maxConcurrent,
    @JsonPropertyDescription(
            "How many namespaces may be stalled, by a rollout that was given up, by errors of"
                + " preflight or otherwise, before no further one begins.")
        @Default("0")
        @Min(0)
        @Max(100_000)
        Integer maxFailed,
    @JsonPropertyDescription(
            "The spec of each namespace's MeshEnrollment. A change of it goes through the waves"
                + " again.")
        MeshEnrollmentSpec template,
    @JsonPropertyDescription(
            "Whether the fleet stays where it is: no namespace begins, those on their way stay at"
                + " their step, and none takes up a changed template.")
        @Default("false")
        Boolean paused) {

  /** Every field at its default. */
  public static final ClusterMeshEnrollmentSpec DEFAULTS =
      new ClusterMeshEnrollmentSpec(null, null, null, null, null, null);

  /** The one wave of a fleet without any. */
  @JsonIgnore public static final Wave ALL_AT_ONCE = new Wave("all", null, null, null);

  public ClusterMeshEnrollmentSpec(
      @Nullable NamespaceSelector namespaces,
      @Nullable List<Wave> waves,
      @Nullable Integer maxConcurrent,
      @Nullable Integer maxFailed,
      @Nullable MeshEnrollmentSpec template,
      @Nullable Boolean paused) {
    this.namespaces = namespaces;
    this.waves = waves == null ? List.of() : List.copyOf(waves);
    this.maxConcurrent = maxConcurrent == null ? 5 : maxConcurrent;
    this.maxFailed = maxFailed == null ? 0 : maxFailed;
    this.template = template == null ? MeshEnrollmentSpec.DEFAULTS : template;
    this.paused = paused != null && paused;
  }

  /** The waves, where none are written one that takes all. */
  @JsonIgnore
  public List<Wave> effectiveWaves() {
    return waves.isEmpty() ? List.of(ALL_AT_ONCE) : waves;
  }
}
