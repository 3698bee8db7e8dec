/** Tests. */
@NullMarked
package dev.ambit.operator;

import org.jspecify.annotations.NullMarked;
