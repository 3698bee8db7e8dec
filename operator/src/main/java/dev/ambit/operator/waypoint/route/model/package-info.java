/** What the routes of the Gateway API make a waypoint do: functions of the routes and services. */
@NullMarked
package dev.ambit.operator.waypoint.route.model;

import org.jspecify.annotations.NullMarked;
