/** Makes waypoints of Gateways, and says on them how they are. */
@NullMarked
package dev.ambit.operator.waypoint.life;

import org.jspecify.annotations.NullMarked;
