/** What commands work out from what they have read: pure functions. */
@NullMarked
package dev.ambit.cli.model;

import org.jspecify.annotations.NullMarked;
