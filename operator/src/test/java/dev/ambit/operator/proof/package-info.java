/** Tests. */
@NullMarked
package dev.ambit.operator.proof;

import org.jspecify.annotations.NullMarked;
