/** Writes JSON, for the access log and for inspection. */
@NullMarked
package dev.ambit.ztunnel.json;

import org.jspecify.annotations.NullMarked;
