/**
 * Real ztunnel processes in network namespaces, with a control plane and a node agent that tests
 * can bend: how the ztunnel behaves on the wire, without a cluster.
 */
@NullMarked
package dev.ambit.ztunnel.netns;

import org.jspecify.annotations.NullMarked;
