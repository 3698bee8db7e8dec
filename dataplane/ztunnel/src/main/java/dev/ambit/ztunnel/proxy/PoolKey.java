package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.identity.Identity;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * What connections of one pod have to have in common to share a tunnel.
 *
 * @param source whose certificate the tunnel shows
 * @param nextHop where it leads
 * @param expected whom the next hop has to prove to be one of
 */
record PoolKey(Identity source, InetSocketAddress nextHop, List<Identity> expected) {}
