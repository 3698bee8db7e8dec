/**
 * Where a namespace is on its way into or out of the mesh: pure functions over what was observed.
 */
@NullMarked
package dev.ambit.operator.enrollment.model;

import org.jspecify.annotations.NullMarked;
