/** Reads from the API server what preflight looks at. */
@NullMarked
package dev.ambit.operator.preflight;

import org.jspecify.annotations.NullMarked;
