/** Tests. */
@NullMarked
package dev.ambit.operator.enrollment.model;

import org.jspecify.annotations.NullMarked;
