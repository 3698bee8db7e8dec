/** Tests of what routes come to. */
@NullMarked
package dev.ambit.operator.waypoint.route.model;

import org.jspecify.annotations.NullMarked;
