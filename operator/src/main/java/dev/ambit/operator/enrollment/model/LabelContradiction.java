package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;
import dev.ambit.api.WellKnown;
import java.util.Optional;

/** A namespace's label that asks for something else than the user's MeshEnrollment, which wins. */
public record LabelContradiction(String message) {
  /** Condition type, there only while the contradiction is. */
  public static final String CONDITION = "LabelOverridden";

  public static final String REASON = "NamespaceLabelDiffers";

  /** The contradiction, if there is one. A missing label asks for nothing. */
  public static Optional<LabelContradiction> in(EnrollmentObservation observed) {
    if (!(observed.source() instanceof EnrollmentSource.User)) {
      return Optional.empty();
    }
    Stage stage = observed.asked();
    boolean contradicts =
        switch (observed.mode()) {
          case ABSENT -> false;
          case AMBIENT -> stage == Stage.NONE;
          case NONE -> stage != Stage.NONE;
          case UNKNOWN -> true;
        };
    return contradicts
        ? Optional.of(
            new LabelContradiction(
                "This MeshEnrollment asks for stage "
                    + stage.text()
                    + " and wins over the namespace's label "
                    + WellKnown.DATAPLANE_MODE
                    + "="
                    + observed.label()
                    + ". Remove the label, or make the two agree."))
        : Optional.empty();
  }
}
