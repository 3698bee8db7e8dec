package dev.ambit.agent.capture;

import java.time.Duration;

/**
 * Times of capture.
 *
 * @param settle between this node's hearing that the pod takes no tunnels any more and the end of
 *     redirection, for the control plane to tell every other ztunnel
 * @param uninstallDrain the longest that connections may go on when the whole mesh is deleted
 * @param verifyEvery how often what should be in a pod is compared with what is
 */
public record CaptureSettings(Duration settle, Duration uninstallDrain, Duration verifyEvery) {
  public static final CaptureSettings DEFAULTS =
      new CaptureSettings(Duration.ofSeconds(2), Duration.ofSeconds(60), Duration.ofSeconds(15));
}
