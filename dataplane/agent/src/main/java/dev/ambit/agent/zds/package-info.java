/** The protocol that hands pods to the ztunnel. */
@NullMarked
package dev.ambit.agent.zds;

import org.jspecify.annotations.NullMarked;
