/** What becomes of Gateways that are waypoints: the objects they turn into, and their status. */
@NullMarked
package dev.ambit.operator.waypoint.life.model;

import org.jspecify.annotations.NullMarked;
