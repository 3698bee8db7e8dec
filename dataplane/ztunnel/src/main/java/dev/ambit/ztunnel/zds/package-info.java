/** The client of the node agent, which hands over pods and their network namespaces. */
@NullMarked
package dev.ambit.ztunnel.zds;

import org.jspecify.annotations.NullMarked;
