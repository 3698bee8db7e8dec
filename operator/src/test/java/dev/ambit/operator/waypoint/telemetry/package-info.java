@NullMarked
package dev.ambit.operator.waypoint.telemetry;

import org.jspecify.annotations.NullMarked;
