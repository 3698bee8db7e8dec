/** Reconcilers of the AmbientMesh and of the root certificates in every namespace. */
@NullMarked
package dev.ambit.operator.mesh;

import org.jspecify.annotations.NullMarked;
