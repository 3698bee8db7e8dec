@NullMarked
package dev.ambit.operator.waypoint.security.model;

import org.jspecify.annotations.NullMarked;
