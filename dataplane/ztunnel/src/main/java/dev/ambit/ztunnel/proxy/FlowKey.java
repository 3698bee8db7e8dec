package dev.ambit.ztunnel.proxy;

import java.net.InetSocketAddress;

/**
 * Whose datagrams are one flow's.
 *
 * @param client who sent the first of them
 * @param peer where it was going
 */
record FlowKey(InetSocketAddress client, InetSocketAddress peer) {}
