/** Tests. */
@NullMarked
package dev.ambit.operator.preflight.model;

import org.jspecify.annotations.NullMarked;
