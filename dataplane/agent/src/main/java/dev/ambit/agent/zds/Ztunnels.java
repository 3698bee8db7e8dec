package dev.ambit.agent.zds;

import dev.ambit.protocol.zds.ConfirmWorkload;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** The ztunnels of this node. */
public interface Ztunnels {
  /** Hands a pod to the newest ztunnel. */
  CompletableFuture<AddOutcome> add(ZdsWorkload pod);

  /**
   * Takes a pod from every ztunnel.
   *
   * @param drain how long its open connections may go on; null where the pod itself has ended, zero
   *     where its network is gone too
   */
  void delete(String uid, @Nullable Duration drain);

  /** Tells every ztunnel that a pod has begun to terminate; it is served on. */
  void terminating(String uid);

  /**
   * Asks the newest ztunnel whether something is so of a pod: acknowledged where it is, or where it
   * is one that does not tell; refused, with the reason, where it is not yet.
   */
  CompletableFuture<AddOutcome> confirm(String uid, ConfirmWorkload.Fact fact);

  /** How many are connected. */
  int connected();
}
