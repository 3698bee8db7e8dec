package dev.ambit.operator.waypoint.route.model;

import io.envoyproxy.envoy.config.route.v3.Route;

/** A match of a route, and what becomes of the requests that fit it. */
record RequestEntry(Specificity specificity, Route route) {}
