/**
 * What waypoints count, log and trace: from Telemetry objects and the mesh's providers to Envoy's
 * access loggers and tracers.
 */
@NullMarked
package dev.ambit.operator.waypoint.telemetry.model;

import org.jspecify.annotations.NullMarked;
