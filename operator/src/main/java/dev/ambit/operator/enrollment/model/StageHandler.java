package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;

/** What it takes for a namespace to be at a stage. */
sealed interface StageHandler {
  /** How far a namespace is, whose stage was {@code reached} when last looked at. */
  Progress progress(Stage reached, PodCensus census);

  /** The handler of the stage that is asked for. */
  static StageHandler of(Stage asked) {
    return switch (asked) {
      case NONE -> new OutsideMesh();
      case L4 -> new L4();
    };
  }

  /** Reached once no pod is captured but those whose own label asks for it. */
  record OutsideMesh() implements StageHandler {
    @Override
    public Progress progress(Stage reached, PodCensus census) {
      return census.lingering().isEmpty()
          ? new Progress.Done(Stage.NONE, census.captured())
          : new Progress.Leaving(reached, census.lingering());
    }
  }

  /**
   * Reached once every pod that should be captured is. A namespace that has reached it stays there
   * while pods come and go.
   */
  record L4() implements StageHandler {
    @Override
    public Progress progress(Stage reached, PodCensus census) {
      if (!census.waiting().isEmpty()) {
        return new Progress.Capturing(reached, census.waiting(), census.captured());
      }
      if (!census.lingering().isEmpty()) {
        return new Progress.Leaving(Stage.L4, census.lingering());
      }
      return new Progress.Done(Stage.L4, census.captured());
    }
  }
}
