/** Looks up workloads that the control plane gives by name. */
@NullMarked
package dev.ambit.ztunnel.names;

import org.jspecify.annotations.NullMarked;
