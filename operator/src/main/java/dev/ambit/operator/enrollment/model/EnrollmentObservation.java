package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;
import dev.ambit.capture.DataplaneMode;

/**
 * All that is known of a namespace's enrollment.
 *
 * @param mode what the namespace's label says
 * @param label the label as written, for messages; empty where there is none
 * @param namespaceExcluded whether the mesh never captures anything in this namespace
 * @param meshInstalled whether there is an AmbientMesh that is not being deleted
 * @param drainSeconds for how long at most connections may end in the tunnel after their pod has
 *     left
 * @param reached where the namespace was when last looked at
 */
public record EnrollmentObservation(
    EnrollmentSource source,
    DataplaneMode mode,
    String label,
    boolean namespaceExcluded,
    boolean meshInstalled,
    int drainSeconds,
    Stage reached,
    PodCensus census) {

  /** Whether the namespace's label counts and has no meaning. */
  public boolean labelIsUnknown() {
    return source instanceof EnrollmentSource.Labels && mode == DataplaneMode.UNKNOWN;
  }

  /** The stage that is asked for. */
  public Stage asked() {
    return switch (source) {
      case EnrollmentSource.Labels ignored ->
          switch (mode) {
            case AMBIENT -> Stage.L4;
            case ABSENT, NONE, UNKNOWN -> Stage.NONE;
          };
      case EnrollmentSource.User(Stage stage) -> stage;
      case EnrollmentSource.Superseded ignored -> Stage.NONE;
    };
  }
}
