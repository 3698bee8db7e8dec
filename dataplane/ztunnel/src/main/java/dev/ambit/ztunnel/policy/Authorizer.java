package dev.ambit.ztunnel.policy;

import dev.ambit.ztunnel.state.MeshWorkload;

/**
 * Judges connections by the mesh's policies. Any thread may call it, and no call blocks. A policy
 * that a workload refers to but that has not arrived denies.
 */
public interface Authorizer {
  /**
   * Judges a connection that asks to be let in, by the policies of now: those of the mesh, of the
   * workload's namespace and those that the workload of that uid, as it is known now, refers to.
   */
  Verdict authorize(PolicyInput input);

  /**
   * Judges an open connection again, as {@link #authorize} does, without counting dry-run verdicts
   * once more.
   */
  Verdict reauthorize(PolicyInput input);

  /**
   * Whether any policy that is enforced speaks for {@code workload}, as it is known now; without
   * one all is allowed.
   */
  default boolean guards(MeshWorkload workload) {
    return true;
  }

  /**
   * Has {@code listener} called after a policy, or a workload's reference to policies, has changed;
   * open inbound connections should then be judged again. It is called on the control plane
   * client's thread and has to return soon.
   */
  Registration onChange(Runnable listener);

  /** Ends when closed. */
  interface Registration extends AutoCloseable {
    @Override
    void close();
  }
}
