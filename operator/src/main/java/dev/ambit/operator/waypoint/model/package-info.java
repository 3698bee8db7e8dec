/**
 * What a waypoint's Envoy is told, as functions of the mesh and of the objects that users wrote.
 */
@NullMarked
package dev.ambit.operator.waypoint.model;

import org.jspecify.annotations.NullMarked;
