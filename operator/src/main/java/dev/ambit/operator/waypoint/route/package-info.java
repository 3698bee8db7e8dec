/** Routes at the API server: their status. */
@NullMarked
package dev.ambit.operator.waypoint.route;

import org.jspecify.annotations.NullMarked;
