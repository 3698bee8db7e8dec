/** Tests. */
@NullMarked
package dev.ambit.cli.model;

import org.jspecify.annotations.NullMarked;
