/** The command line {@code ambit}: asks the cluster, and shows. Decisions are in {@code model}. */
@NullMarked
package dev.ambit.cli;

import org.jspecify.annotations.NullMarked;
