/** What the node's container runtime asks and how the plugin gets there. */
@NullMarked
package dev.ambit.agent.cni;

import org.jspecify.annotations.NullMarked;
