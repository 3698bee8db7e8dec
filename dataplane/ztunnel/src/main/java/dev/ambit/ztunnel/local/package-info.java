/** A mesh that is told by a file instead of a control plane. */
@NullMarked
package dev.ambit.ztunnel.local;

import org.jspecify.annotations.NullMarked;
