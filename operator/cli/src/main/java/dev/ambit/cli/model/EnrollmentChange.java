package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.DataplaneMode;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What has to be written for a namespace to be at a stage. */
public sealed interface EnrollmentChange {
  String NONE = "None";

  /** The MeshEnrollment of that name is to ask for the stage. */
  record Apply(String name) implements EnrollmentChange {}

  /** Nothing: it is asked for already, by the object that is named, or by nobody. */
  record AsAsked(Optional<String> name) implements EnrollmentChange {}

  /** Something asks for the contrary. */
  record Contradiction(String message) implements EnrollmentChange {}

  /**
   * Decides.
   *
   * @param enrollments all of the namespace
   * @param mesh the AmbientMesh, where there is one
   * @param excluded the namespaces that are never captured
   */
  static EnrollmentChange of(
      JsonNode namespace,
      List<JsonNode> enrollments,
      Optional<JsonNode> mesh,
      Set<String> excluded,
      String stage) {
    String name = Objects.name(namespace);
    boolean joins = !stage.equals(NONE);
    if (joins && !Objects.text(namespace, "/metadata/deletionTimestamp").isEmpty()) {
      return new Contradiction("namespace " + name + " is being deleted");
    }
    if (joins && mesh.isEmpty()) {
      return new Contradiction(
          "there is no AmbientMesh, so no node captures pods: install Ambit, or create one named "
              + WellKnown.DEFAULT_NAME);
    }
    if (joins && excluded.contains(name)) {
      return new Contradiction(
          "namespace "
              + name
              + " is never captured: it is Ambit's own, or the AmbientMesh lists it under"
              + " spec.excludedNamespaces; remove it there first");
    }
    Optional<String> label = contradictingLabel(namespace, joins);
    if (label.isPresent()) {
      return new Contradiction(label.get());
    }
    Optional<String> held = held(name, enrollments);
    if (held.isPresent()) {
      return new Contradiction(held.get());
    }
    Optional<JsonNode> effective = Enrollments.effective(enrollments);
    if (effective.isEmpty()) {
      return joins ? new Apply(WellKnown.DEFAULT_NAME) : new AsAsked(Optional.empty());
    }
    String counting = Objects.name(effective.get());
    String asked = EnrollmentStatus.asked(effective.get());
    if (asked.equals(stage)) {
      return new AsAsked(Optional.of(counting));
    }
    if (counting.equals(WellKnown.DEFAULT_NAME)) {
      return new Apply(counting);
    }
    Optional<String> fleet = EnrollmentStatus.fleet(effective.get());
    if (fleet.isPresent()) {
      return new Contradiction(
          "ClusterMeshEnrollment "
              + fleet.get()
              + " decides for namespace "
              + name
              + " and asks for stage "
              + asked
              + ": change it there, or give the namespace a MeshEnrollment of its own, named "
              + WellKnown.DEFAULT_NAME
              + ", which wins");
    }
    return new Contradiction(
        "MeshEnrollment "
            + name
            + "/"
            + counting
            + " counts there and asks for stage "
            + asked
            + ": change its spec.stage, or delete it and try again");
  }

  /** An enrollment that is kept from doing anything would not do this either. */
  private static Optional<String> held(String namespace, List<JsonNode> enrollments) {
    for (JsonNode each : enrollments) {
      for (String field : List.of("dryRun", "paused")) {
        if (Objects.name(each).equals(WellKnown.DEFAULT_NAME)
            && each.path("spec").path(field).asBoolean()) {
          return Optional.of(
              "MeshEnrollment "
                  + namespace
                  + "/"
                  + WellKnown.DEFAULT_NAME
                  + " has spec."
                  + field
                  + ", so nothing would happen: set it to false where it comes from, and try again");
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<String> contradictingLabel(JsonNode namespace, boolean joins) {
    boolean contradicts =
        switch (DataplaneMode.of(Objects.labels(namespace))) {
          case ABSENT -> false;
          case AMBIENT -> !joins;
          case NONE -> joins;
          case UNKNOWN -> true;
        };
    String name = Objects.name(namespace);
    return contradicts
        ? Optional.of(
            "namespace "
                + name
                + " is labelled "
                + WellKnown.DATAPLANE_MODE
                + "="
                + Objects.labels(namespace).get(WellKnown.DATAPLANE_MODE)
                + ", which says otherwise: remove the label with `kubectl label namespace "
                + name
                + " "
                + WellKnown.DATAPLANE_MODE
                + "-`"
                + (joins ? " and try again" : ", which takes the namespace out of the mesh"))
        : Optional.empty();
  }
}
