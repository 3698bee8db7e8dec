/** The client of the control plane's delta discovery. */
@NullMarked
package dev.ambit.ztunnel.xds;

import org.jspecify.annotations.NullMarked;
