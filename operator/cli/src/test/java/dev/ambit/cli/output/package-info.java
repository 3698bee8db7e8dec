/** Tests. */
@NullMarked
package dev.ambit.cli.output;

import org.jspecify.annotations.NullMarked;
