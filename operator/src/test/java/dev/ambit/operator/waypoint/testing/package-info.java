/** The real Envoy, for tests of what it is told. */
@NullMarked
package dev.ambit.operator.waypoint.testing;

import org.jspecify.annotations.NullMarked;
