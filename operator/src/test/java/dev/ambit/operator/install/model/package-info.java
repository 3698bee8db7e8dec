/** Tests. */
@NullMarked
package dev.ambit.operator.install.model;

import org.jspecify.annotations.NullMarked;
