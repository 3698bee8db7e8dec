/** The network namespaces of the node's pods. */
@NullMarked
package dev.ambit.agent.pods;

import org.jspecify.annotations.NullMarked;
