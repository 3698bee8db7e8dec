/** Tests of what VirtualServices and DestinationRules come to, by themselves and in Envoy. */
@NullMarked
package dev.ambit.operator.waypoint.traffic.model;

import org.jspecify.annotations.NullMarked;
