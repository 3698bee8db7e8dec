/** Health, readiness and metrics over HTTP. */
@NullMarked
package dev.ambit.operator.health;

import org.jspecify.annotations.NullMarked;
