package dev.ambit.operator.waypoint.security.model;

/**
 * Which way a condition errs where it cannot be decided exactly, so that a policy as a whole errs
 * on the strict side.
 */
enum Rounding {
  /** Holds only where it surely holds: what allows. */
  DOWN,
  /** Holds wherever it might hold: what denies. */
  UP;

  /** That of an exception to it. */
  Rounding flipped() {
    return switch (this) {
      case DOWN -> UP;
      case UP -> DOWN;
    };
  }

  /** What stands for a condition of which nothing is known. */
  Condition undecided() {
    return Condition.constant(this == UP);
  }
}
