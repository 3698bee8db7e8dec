/** Tests. */
@NullMarked
package dev.ambit.operator.health;

import org.jspecify.annotations.NullMarked;
