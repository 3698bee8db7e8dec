/** Readiness, metrics and inspection over HTTP. */
@NullMarked
package dev.ambit.ztunnel.admin;

import org.jspecify.annotations.NullMarked;
