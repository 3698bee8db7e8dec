/** The node proxy's main program and its settings. */
@NullMarked
package dev.ambit.ztunnel;

import org.jspecify.annotations.NullMarked;
