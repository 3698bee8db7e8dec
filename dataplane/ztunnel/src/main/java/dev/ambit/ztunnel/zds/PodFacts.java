package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.state.LocalPod;

/** What a node agent may ask of a pod before it goes on. Any thread may call it. */
public interface PodFacts {
  /** Why the pod's identity cannot be proven yet; empty where it can. */
  String uncertified(LocalPod pod);

  /** Why others may open tunnels to the pod; empty where they have no reason to. */
  String expectsTunnels(LocalPod pod);
}
