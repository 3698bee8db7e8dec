/** Tests. */
@NullMarked
package dev.ambit.operator.mesh.model;

import org.jspecify.annotations.NullMarked;
