package dev.ambit.agent.cni;

import io.fabric8.kubernetes.api.model.Pod;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Collection;

/** Captures pods whose network has just been made and in which nothing runs yet. */
@FunctionalInterface
public interface NewPods {
  /**
   * Returns once the pod's traffic is in the mesh.
   *
   * @throws IOException if that is not so within the time; the pod must not be started then
   */
  void capture(Pod pod, String networkPath, Collection<InetAddress> addresses, Duration within)
      throws IOException;
}
