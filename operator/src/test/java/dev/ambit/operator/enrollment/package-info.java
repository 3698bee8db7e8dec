/** Tests. */
@NullMarked
package dev.ambit.operator.enrollment;

import org.jspecify.annotations.NullMarked;
