/** Proves that captured pods can be reached as the mesh reaches them. */
@NullMarked
package dev.ambit.operator.proof;

import org.jspecify.annotations.NullMarked;
