/**
 * Which requests a waypoint's Envoy lets through, as functions of the policies that users wrote.
 */
@NullMarked
package dev.ambit.operator.waypoint.security.model;

import org.jspecify.annotations.NullMarked;
