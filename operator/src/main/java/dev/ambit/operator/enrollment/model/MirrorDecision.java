package dev.ambit.operator.enrollment.model;

import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.Phase;
import dev.ambit.api.Stage;
import dev.ambit.capture.DataplaneMode;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What becomes of the MeshEnrollment that mirrors a namespace's labels. */
public sealed interface MirrorDecision {
  /** It is to exist with this stage. */
  record Apply(Stage stage) implements MirrorDecision {}

  /** It has nothing left to show. */
  record Delete() implements MirrorDecision {}

  /** It is as it should be, or is not there and should not be. */
  record Leave() implements MirrorDecision {}

  /**
   * The mirror as it is.
   *
   * @param generation of the mirror's spec
   */
  record Mirror(Stage stage, @Nullable Long generation, @Nullable MeshEnrollmentStatus status) {

    private boolean hasLeft() {
      return status != null
          && Objects.equals(generation, status.observedGeneration())
          && status.phase() == Phase.DONE
          && status.stage() == Stage.NONE;
    }
  }

  /**
   * Decides for a namespace.
   *
   * @param meshExists whether there is an AmbientMesh, be it about to go
   * @param userEnrolls whether a user's MeshEnrollment counts there
   * @param mirror the mirror, where there is one
   */
  static MirrorDecision of(
      DataplaneMode mode,
      boolean meshExists,
      boolean userEnrolls,
      boolean terminating,
      @Nullable Mirror mirror) {
    if (terminating) {
      return new Leave();
    }
    // Without a mesh nobody is enrolled, and nothing is to be left behind by one that was.
    if (userEnrolls || !meshExists) {
      return mirror == null ? new Leave() : new Delete();
    }
    return switch (mode) {
      case AMBIENT -> applyUnlessSame(Stage.L4, mirror);
      // Its status says that nothing is captured, and why.
      case UNKNOWN -> applyUnlessSame(Stage.NONE, mirror);
      case ABSENT, NONE -> {
        if (mirror == null) {
          yield new Leave();
        }
        yield mirror.hasLeft() ? new Delete() : applyUnlessSame(Stage.NONE, mirror);
      }
    };
  }

  private static MirrorDecision applyUnlessSame(Stage stage, @Nullable Mirror mirror) {
    return mirror != null && mirror.stage() == stage ? new Leave() : new Apply(stage);
  }
}
