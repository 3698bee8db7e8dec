/** The reconciler of ClusterMeshEnrollments. */
@NullMarked
package dev.ambit.operator.fleet;

import org.jspecify.annotations.NullMarked;
