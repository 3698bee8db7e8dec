/** Routes, at the edge. */
@NullMarked
package dev.ambit.operator.waypoint.route;

import org.jspecify.annotations.NullMarked;
