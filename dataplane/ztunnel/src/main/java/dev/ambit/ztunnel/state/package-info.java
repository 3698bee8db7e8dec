/** What the ztunnel knows of the mesh, and the routing decisions that follow from it. */
@NullMarked
package dev.ambit.ztunnel.state;

import org.jspecify.annotations.NullMarked;
