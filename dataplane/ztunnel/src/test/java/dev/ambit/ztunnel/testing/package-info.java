/** Small real counterparts for tests: a control plane, a certificate authority, a node agent. */
@NullMarked
package dev.ambit.ztunnel.testing;

import org.jspecify.annotations.NullMarked;
