package dev.ambit.operator.health;

/** Whether a replica serves the mesh. */
public sealed interface Readiness {
  /** It does. */
  record Ready() implements Readiness {}

  /** It does not, and why. */
  record NotReady(String reason) implements Readiness {}
}
