package dev.ambit.agent.zds;

import dev.ambit.agent.pods.PodNetwork;

/**
 * A pod as the ztunnel is told of it.
 *
 * @param joining whether it runs and is not redirected yet
 */
public record ZdsWorkload(
    String uid,
    String name,
    String namespace,
    String serviceAccount,
    PodNetwork network,
    boolean joining) {
  /** The same pod, once it is redirected. */
  public ZdsWorkload joined() {
    return new ZdsWorkload(uid, name, namespace, serviceAccount, network, false);
  }
}
