package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;

/** What it takes for a namespace to be at a stage. */
sealed interface StageHandler {
  /** How far a namespace is. */
  Progress progress(EnrollmentObservation observed);

  /** The handler of the stage that is asked for. */
  static StageHandler of(Stage asked) {
    return switch (asked) {
      case NONE -> new OutsideMesh();
      case L4 -> new L4();
    };
  }

  private static Progress leaving(Stage stage, EnrollmentObservation observed) {
    PodCensus census = observed.census();
    return new Progress.Leaving(
        stage, census.lingering(), census.draining(), observed.drainSeconds());
  }

  /** Reached once no pod is captured but those whose own label asks for it. */
  record OutsideMesh() implements StageHandler {
    @Override
    public Progress progress(EnrollmentObservation observed) {
      PodCensus census = observed.census();
      return census.lingering().isEmpty()
          ? new Progress.Done(Stage.NONE, census.captured())
          : leaving(observed.reached(), observed);
    }
  }

  /**
   * Reached once every pod that should be captured is. A namespace that has reached it stays there
   * while pods come and go.
   */
  record L4() implements StageHandler {
    @Override
    public Progress progress(EnrollmentObservation observed) {
      PodCensus census = observed.census();
      if (!census.waiting().isEmpty()) {
        return new Progress.Capturing(observed.reached(), census.waiting(), census.captured());
      }
      if (!census.lingering().isEmpty()) {
        return leaving(Stage.L4, observed);
      }
      return new Progress.Done(Stage.L4, census.captured());
    }
  }
}
