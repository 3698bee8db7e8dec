/** Tests of what waypoints' configurations are made of. */
@NullMarked
package dev.ambit.operator.waypoint.model;

import org.jspecify.annotations.NullMarked;
