/** Reconcilers of namespaces and their MeshEnrollments. */
@NullMarked
package dev.ambit.operator.enrollment;

import org.jspecify.annotations.NullMarked;
