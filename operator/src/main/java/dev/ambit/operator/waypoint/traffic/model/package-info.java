/**
 * What Istio's VirtualServices and DestinationRules come to at a waypoint: routes, clusters' load
 * balancing, pools, outlier detection and TLS, and what of them is not enforced.
 */
@NullMarked
package dev.ambit.operator.waypoint.traffic.model;

import org.jspecify.annotations.NullMarked;
