/** The journeys on a real cluster of two nodes. */
@NullMarked
package dev.ambit.k3s;

import org.jspecify.annotations.NullMarked;
