/** A real cluster of two nodes on one machine, and the tests that run on it. */
@NullMarked
package dev.ambit.k3s;

import org.jspecify.annotations.NullMarked;
