package dev.ambit.operator.enrollment.model;

/**
 * Whether a pod takes tunnels under its own identity, as a handshake has shown.
 *
 * @param problem why not, for a person; empty where it does
 */
public record Proof(boolean holds, String problem) {
  /** The last handshake went as it should. */
  public static final Proof HOLDS = new Proof(true, "");

  /** Nobody has tried. */
  public static final Proof UNTRIED = new Proof(false, "no handshake has been tried yet");

  /** It failed. */
  public static Proof failed(String problem) {
    return new Proof(false, problem);
  }
}
