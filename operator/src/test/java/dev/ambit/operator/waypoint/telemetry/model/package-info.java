@NullMarked
package dev.ambit.operator.waypoint.telemetry.model;

import org.jspecify.annotations.NullMarked;
