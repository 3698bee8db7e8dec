package dev.ambit.ztunnel;

import dev.ambit.ztunnel.certificate.CertificateCache;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.zds.PodObserver;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Has the certificate of each pod's identity fetched as soon as the control plane tells the
 * identity, and forgotten with the last pod that has it. Says when those that pods wait for at
 * first are there.
 */
final class PodIdentities implements PodObserver {
  /** What a pod's certificate takes, and more; one that takes longer may never come. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private final MeshState state;
  private final CertificateCache certificates;

  /** By pod UID; the identity is missing until it is known. Guarded by this object's lock. */
  private final Map<String, Held> pods = new HashMap<>();

  private static final class Held {
    final long since = System.nanoTime();
    @Nullable Identity identity;
    boolean settled;

    boolean isAwaited() {
      return !settled && System.nanoTime() - since < PATIENCE.toNanos();
    }
  }

  PodIdentities(MeshState state, CertificateCache certificates) {
    this.state = state;
    this.certificates = certificates;
  }

  @Override
  public synchronized void added(LocalPod pod) {
    Held held = new Held();
    pods.put(pod.uid(), held);
    await(pod, held);
  }

  private void await(LocalPod pod, Held held) {
    state
        .local(pod)
        .whenComplete(
            (workload, failure) -> {
              synchronized (this) {
                if (pods.get(pod.uid()) != held) {
                  return;
                }
                if (workload == null) {
                  // The wait was over before the control plane told of the pod; it waits on.
                  await(pod, held);
                  return;
                }
                held.identity = workload.identity();
                certificates
                    .hold(workload.identity())
                    .whenComplete((certificate, refusal) -> settle(held));
              }
            });
  }

  private synchronized void settle(Held held) {
    held.settled = true;
  }

  /**
   * Whether a pod came a moment ago whose certificate is neither there nor refused: a connection of
   * its would wait.
   */
  synchronized boolean isAnyAwaited() {
    return pods.values().stream().anyMatch(Held::isAwaited);
  }

  @Override
  public synchronized void removed(LocalPod pod) {
    Held held = pods.remove(pod.uid());
    if (held != null && held.identity != null) {
      certificates.release(held.identity);
    }
  }

  @Override
  public void started(LocalPod pod) {}

  @Override
  public void stopped(LocalPod pod) {}
}
