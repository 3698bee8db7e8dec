/** The edges of the control plane: informers, the gRPC server, and policy status. */
@NullMarked
package dev.ambit.operator.controlplane;

import org.jspecify.annotations.NullMarked;
