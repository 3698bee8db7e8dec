package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.MemoryBudget;
import java.time.Duration;

/**
 * What callers may take of the ztunnel.
 *
 * @param tunnelsPerSource that one address may have to a pod at once
 * @param pendingPerSource of these, that have not proven yet who they are
 * @param pendingPerPod of all addresses; more wait to be accepted
 * @param idleTimeout after which an inbound tunnel without connections is closed; longer than the
 *     callers' own, so that they are the ones to close
 * @param memory for bytes that came through tunnels and are not taken by applications
 */
public record TunnelLimits(
    int tunnelsPerSource,
    int pendingPerSource,
    int pendingPerPod,
    Duration idleTimeout,
    MemoryBudget memory) {

  /** What a cluster runs with, save for the memory. */
  public static TunnelLimits defaults() {
    return new TunnelLimits(1024, 128, 512, Duration.ofMinutes(15), MemoryBudget.unlimited());
  }
}
