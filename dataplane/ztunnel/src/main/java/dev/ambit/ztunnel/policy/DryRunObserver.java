package dev.ambit.ztunnel.policy;

/** Hears what dry-run policies would have done. Called on event loops: must not block. */
public interface DryRunObserver {
  /**
   * A dry-run policy has judged a connection.
   *
   * @param policy {@code namespace/name}
   * @param wouldDeny whether the connection would have been denied, were the policy enforced
   */
  void judged(String policy, boolean wouldDeny, PolicyInput input);
}
