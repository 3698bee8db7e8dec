package dev.ambit.operator.waypoint.route.model;

import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import java.util.Optional;

/**
 * One of the ways in which a request can fit a rule.
 *
 * @param prefix of the path that it asks for, without a slash at its end ("" for all paths), where
 *     it asks for one
 */
record RequestMatch(RouteMatch match, Specificity specificity, Optional<String> prefix) {}
