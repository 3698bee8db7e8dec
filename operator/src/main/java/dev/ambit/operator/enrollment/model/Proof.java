package dev.ambit.operator.enrollment.model;

/**
 * Whether a pod takes tunnels under its own identity, as a handshake has shown.
 *
 * @param knowsNamespace whether it is a waypoint that has been told what its namespace's enrollment
 *     leads through it
 * @param problem why it does not hold, for a person; empty where it does
 */
public record Proof(boolean holds, boolean knowsNamespace, String problem) {
  /** The last handshake went as it should. */
  public static final Proof HOLDS = new Proof(true, false, "");

  /** So did the request to a waypoint that knows what goes through it. */
  public static final Proof KNOWS_NAMESPACE = new Proof(true, true, "");

  /** Nobody has tried. */
  public static final Proof UNTRIED = failed("no handshake has been tried yet");

  /** It failed. */
  public static Proof failed(String problem) {
    return new Proof(false, false, problem);
  }
}
