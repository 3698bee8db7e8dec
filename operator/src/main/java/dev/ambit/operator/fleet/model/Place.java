package dev.ambit.operator.fleet.model;

/** Where a namespace of a fleet is. */
public sealed interface Place {
  /** Where the template asks for. */
  record Done() implements Place {}

  /** On its way, by the present template or by one from before. */
  record Moving() implements Place {}

  /** Its turn has not come. */
  record Waiting() implements Place {}

  /** Its MeshEnrollment is stalled. */
  record Failed(String reason, String message) implements Place {}

  /** The fleet leaves it alone. */
  record Held(String reason, String message) implements Place {}

  /**
   * It is to leave the fleet.
   *
   * @param begun whether it has been told to
   */
  record Leaving(boolean begun) implements Place {}
}
