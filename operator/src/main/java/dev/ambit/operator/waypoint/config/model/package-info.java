/** All that each waypoint's Envoy is told, put together from what the parts make of the mesh. */
@NullMarked
package dev.ambit.operator.waypoint.config.model;

import org.jspecify.annotations.NullMarked;
