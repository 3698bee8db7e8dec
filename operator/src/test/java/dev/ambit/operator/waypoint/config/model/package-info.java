@NullMarked
package dev.ambit.operator.waypoint.config.model;

import org.jspecify.annotations.NullMarked;
