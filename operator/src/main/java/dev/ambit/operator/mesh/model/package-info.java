/** How the mesh as a whole is doing: pure functions over what was observed. */
@NullMarked
package dev.ambit.operator.mesh.model;

import org.jspecify.annotations.NullMarked;
