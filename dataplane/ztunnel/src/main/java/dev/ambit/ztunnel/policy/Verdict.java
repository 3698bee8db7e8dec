package dev.ambit.ztunnel.policy;

/** Whether a connection is let in. */
public sealed interface Verdict {
  /** The one allowing verdict. */
  Verdict ALLOWED = new Allowed();

  /** It is let in. */
  record Allowed() implements Verdict {}

  /**
   * It is not.
   *
   * @param policy {@code namespace/name} of the policy that says so; empty where no allowing policy
   *     matched
   * @param reason for the log and the caller of CONNECT
   */
  record Denied(String policy, String reason) implements Verdict {
    /** How the control plane names policies that let in only what comes through a waypoint. */
    private static final String REQUIRED_WAYPOINT = "/ambit_require_waypoint_";

    /** Whether the caller only took the wrong way: through the waypoint it might be let in. */
    public boolean misdirected() {
      return policy.contains(REQUIRED_WAYPOINT);
    }
  }
}
