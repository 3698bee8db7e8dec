package dev.ambit.agent.capture;

import dev.ambit.agent.pods.PodNetwork;
import dev.ambit.agent.zds.ZdsWorkload;
import java.util.OptionalLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * How far one pod is. Changed only under its lock; what other threads read without it is volatile.
 */
final class PodCapture {
  /** The stages, in the order in which a pod that joins and leaves goes through them. */
  sealed interface Stage {
    /** Nothing of Ambit's is in the pod. */
    record Free() implements Stage {}

    /** The ztunnel is to listen in the pod; nothing new is redirected before it does. */
    record Joining(long sinceNanos) implements Stage {}

    /** The rules redirect. */
    record Captured() implements Stage {}

    /**
     * Still redirected, while the control plane tells the mesh that the pod leaves.
     *
     * @param untilNanos known once this node has heard of it; other nodes may hear a little later
     */
    record Settling(long sinceNanos, OptionalLong untilNanos) implements Stage {}

    /** New connections pass plain; those in the tunnel go on until they end or time is up. */
    record Draining(long sinceNanos, long untilNanos) implements Stage {}

    /** Nothing of Ambit's is in the pod any more; the API server is yet to be told. */
    record Released() implements Stage {}
  }

  static final Stage FREE = new Stage.Free();
  static final Stage CAPTURED = new Stage.Captured();
  static final Stage RELEASED = new Stage.Released();

  final String uid;
  final ReentrantLock lock = new ReentrantLock();

  volatile Stage stage = FREE;

  /** What the ztunnels are told while the stage is not free. */
  volatile @Nullable ZdsWorkload served;

  /** Whether a ztunnel has said that it serves the pod. */
  volatile boolean acknowledged;

  /** Whether the ztunnels have been told that the pod terminates. */
  volatile boolean terminating;

  volatile boolean verificationDue;

  @Nullable PodNetwork network;

  /** Whether the cache has shown the pod: from then on its absence there means that it is gone. */
  boolean seen;

  /** Whether it is known what is in the pod's network namespace. */
  boolean examined;

  /** Whether no ztunnel listened in the pod when last verified. */
  boolean deaf;

  /** Whether the rules redirect DNS. */
  boolean dns;

  /** How many times in a row nothing answered DNS in the pod though it is redirected. */
  int dnsUnanswered;

  /** No longer in use, since the pod is gone. */
  boolean forgotten;

  PodCapture(String uid) {
    this.uid = uid;
  }

  void closeNetwork() {
    if (network != null) {
      network.close();
      network = null;
    }
  }
}
