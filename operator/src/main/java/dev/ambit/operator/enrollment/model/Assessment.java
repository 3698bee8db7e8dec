package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import java.util.Optional;

/** Judges how far an enrollment is: first whether it can be at all, then by its stage's handler. */
public final class Assessment {
  private Assessment() {}

  /** Judges. */
  public static Progress of(EnrollmentObservation observed) {
    return obstacle(observed).orElseGet(() -> StageHandler.of(observed.asked()).progress(observed));
  }

  private static Optional<Progress> obstacle(EnrollmentObservation observed) {
    if (observed.source() instanceof EnrollmentSource.Superseded(String by)) {
      return stalled(
          observed,
          "Superseded",
          "MeshEnrollment " + by + " of the same namespace counts instead. Delete one of the two.");
    }
    if (observed.labelIsUnknown()) {
      return stalled(
          observed,
          "UnknownDataplaneMode",
          "The namespace's label "
              + WellKnown.DATAPLANE_MODE
              + "="
              + observed.label()
              + " has no meaning, so none of its pods is captured. Set it to ambient or none.");
    }
    if (observed.asked() == Stage.L4 && observed.namespaceExcluded()) {
      return stalled(
          observed,
          "ExcludedNamespace",
          "The namespace is never captured, since the AmbientMesh lists it under"
              + " spec.excludedNamespaces or it is Ambit's own. Remove it there, or take back the"
              + " enrollment.");
    }
    if (observed.asked() == Stage.L4 && !observed.meshInstalled()) {
      return stalled(
          observed,
          "NoAmbientMesh",
          "There is no AmbientMesh, or it is being deleted, so no node captures pods. Create one"
              + " named default.");
    }
    return Optional.empty();
  }

  private static Optional<Progress> stalled(
      EnrollmentObservation observed, String reason, String message) {
    Stage stage = observed.census().lingering().isEmpty() ? Stage.NONE : observed.reached();
    return Optional.of(new Progress.Stalled(stage, reason, message));
  }
}
