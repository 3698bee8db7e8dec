package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.state.LocalPod;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How it stands with a pod of this node, for inspection.
 *
 * @param up whether it is served
 * @param failure why it is not
 * @param connections what is open in and out of it
 */
public record PodStatus(
    LocalPod pod, boolean up, @Nullable String failure, List<LiveConnection> connections) {}
