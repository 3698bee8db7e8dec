/** The node components as an AmbientMesh asks for them: pure functions. */
@NullMarked
package dev.ambit.operator.install.model;

import org.jspecify.annotations.NullMarked;
