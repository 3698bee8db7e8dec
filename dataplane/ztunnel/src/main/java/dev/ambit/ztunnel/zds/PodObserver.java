package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.state.LocalPod;

/** Hears of pods as they come and go. Calls must not block. */
public interface PodObserver {
  /** The node agent has handed over a pod; its listeners are about to be bound. */
  void added(LocalPod pod);

  /** A pod is served no more; its connections may still be draining. Once for each added one. */
  void removed(LocalPod pod);

  /** A pod's listeners are bound. */
  void started(LocalPod pod);

  /** A pod's listeners are closed and its connections over. Once for each started one. */
  void stopped(LocalPod pod);
}
