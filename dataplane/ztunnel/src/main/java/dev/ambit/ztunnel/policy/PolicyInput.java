package dev.ambit.ztunnel.policy;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * One connection, as policies see it.
 *
 * @param destination the workload that is asked
 * @param source who the caller proved to be; null for plain text
 * @param sourceIp the caller's address
 * @param destinationAddress the workload's address and real port, never the tunnel's 15008
 */
public record PolicyInput(
    MeshWorkload destination,
    @Nullable Identity source,
    InetAddress sourceIp,
    InetSocketAddress destinationAddress) {}
