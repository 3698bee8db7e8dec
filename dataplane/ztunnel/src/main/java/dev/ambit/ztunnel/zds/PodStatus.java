package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.state.LocalPod;

/**
 * How it stands with a pod of this node, for inspection.
 *
 * @param state {@code Up}, {@code Starting} or {@code Failed: reason}
 * @param connections how many are open in and out of it
 */
public record PodStatus(LocalPod pod, String state, int connections) {}
