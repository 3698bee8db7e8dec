package dev.ambit.ztunnel.zds;

import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import org.jspecify.annotations.Nullable;

/**
 * A connection that is open, for inspection.
 *
 * @param originalDestination where the application, or the tunnel's peer, wanted to go; null where
 *     that is what {@code info} tells
 */
public record LiveConnection(ConnectionInfo info, @Nullable String originalDestination) {}
