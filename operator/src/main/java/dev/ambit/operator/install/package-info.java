/** Applies the node components. */
@NullMarked
package dev.ambit.operator.install;

import org.jspecify.annotations.NullMarked;
